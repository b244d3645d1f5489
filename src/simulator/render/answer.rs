//! Whole documents: answers to queries, errors, the root and logon sessions.

use uuid::Uuid;

use super::{NAMESPACE, Xml, base};
use crate::simulator::action::Task;
use crate::simulator::query::Selection;
use crate::simulator::ticks::Ticks;
use crate::simulator::types::QueryType;

/// What an answer says around its rows. Faults change parts of it.
pub(in crate::simulator) struct Answer<'a> {
    pub(in crate::simulator) selection: &'a Selection,
    /// The query as it came, for the links to other pages.
    pub(in crate::simulator) echo: &'a [(String, String)],
    pub(in crate::simulator) pages: usize,
    /// The page that the answer claims to be.
    pub(in crate::simulator) page: usize,
    pub(in crate::simulator) paging: bool,
    pub(in crate::simulator) container: bool,
    pub(in crate::simulator) bom: bool,
    pub(in crate::simulator) doctype: bool,
    /// Changes from request to request: decides what is optional.
    pub(in crate::simulator) die: usize,
}

/// Writes the rows into the document. Returns how many.
pub(in crate::simulator) type Rows<'a> = dyn FnMut(&mut Xml) -> usize + 'a;

const SCHEMA: &str = "http://www.w3.org/2001/XMLSchema";
const INSTANCE: &str = "http://www.w3.org/2001/XMLSchema-instance";

fn head(xml: &mut Xml, bom: bool, die: usize) {
    if bom {
        xml.text.push('\u{FEFF}');
    }
    if die % 3 != 2 {
        xml.text.push_str("<?xml version=\"1.0\" encoding=\"utf-8\"?>");
    }
}

fn root_attributes(die: usize) -> Vec<(&'static str, &'static str)> {
    match die % 3 {
        0 => vec![("xmlns", NAMESPACE)],
        1 => vec![("xmlns:xsi", INSTANCE), ("xmlns:xsd", SCHEMA), ("xmlns", NAMESPACE)],
        _ => vec![("xmlns", NAMESPACE), ("xmlns:xsd", SCHEMA), ("xmlns:xsi", INSTANCE)],
    }
}

/// An answer to a query.
pub(in crate::simulator) fn answer(answer: &Answer<'_>, capacity: usize, rows: &mut Rows<'_>) -> Vec<u8> {
    let mut xml = Xml::compact(capacity + 4096);
    head(&mut xml, answer.bom, answer.die);
    if answer.doctype {
        xml.text.push_str("<!DOCTYPE QueryResult [<!ENTITY e \"eeeeeeee\"><!ENTITY f \"&e;&e;&e;&e;\">]>");
    }
    xml.open("QueryResult", &root_attributes(answer.die));
    if answer.container {
        let (outer, inner) = match (answer.selection.entities, answer.selection.of) {
            (true, of) => ("Entities", Some(of.container())),
            (false, _) => ("Refs", None),
        };
        xml.open(outer, &[]);
        if let Some(inner) = inner {
            // Whether it is empty is known only afterwards.
            let before = xml.len();
            xml.open(inner, &[]);
            if rows(&mut xml) == 0 {
                xml.text.truncate(before);
                xml.empty(inner, &[]);
            } else {
                xml.close(inner);
            }
        } else {
            rows(&mut xml);
        }
        xml.set_pretty(false);
        xml.close(outer);
    }
    if answer.paging {
        paging(&mut xml, answer);
    }
    xml.close("QueryResult");
    xml.into_bytes()
}

fn paging(xml: &mut Xml, answer: &Answer<'_>) {
    let (pages, size, page) =
        (answer.pages.to_string(), answer.selection.page_size.to_string(), answer.page.to_string());
    xml.open("PagingInfo", &[("PagesCount", &pages), ("PageSize", &size), ("PageNum", &page)]);
    xml.open("Links", &[]);
    let mut link = |rel: &str, page: usize| {
        let mut query: String = answer
            .echo
            .iter()
            .filter(|(key, _)| !key.eq_ignore_ascii_case("page") && !key.eq_ignore_ascii_case("pageSize"))
            .map(|(key, value)| format!("{key}={}&", value.replace(' ', "+").replace('>', "%3e")))
            .collect();
        query.push_str(&format!("pageSize={size}&page={page}"));
        let href = format!("{}/api/query?{query}", base(answer.die));
        xml.empty("Link", &[("Rel", rel), ("Href", &href)]);
    };
    link("First", 1);
    if answer.page < answer.pages {
        link("Next", answer.page + 1);
    }
    link("Last", answer.pages);
    xml.close("Links");
    xml.close("PagingInfo");
}

/// The body of an error. A 500 says less than the others, as it does in the wild.
pub(in crate::simulator) fn error(status: u16, message: &str) -> Vec<u8> {
    let mut xml = Xml::compact(300);
    head(&mut xml, false, 0);
    let code = status.to_string();
    let mut attributes = vec![("xmlns", NAMESPACE), ("Message", message), ("StatusCode", code.as_str())];
    if status == 500 {
        xml.open("Error", &attributes);
        xml.leaf("FirstChanceExceptionMessage", message);
        xml.close("Error");
        return xml.into_bytes();
    }
    let name = match status {
        400 => "BadRequest",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "NotFound",
        405 => "MethodNotAllowed",
        411 => "LengthRequired",
        429 => "TooManyRequests",
        501 => "NotImplemented",
        503 => "ServiceUnavailable",
        _ => "Error",
    };
    attributes.push(("Status", name));
    xml.empty("Error", &attributes);
    xml.into_bytes()
}

/// What `GET /api/` says to anyone.
pub(in crate::simulator) fn root() -> Vec<u8> {
    let mut xml = Xml::compact(1500);
    head(&mut xml, false, 0);
    xml.open("EnterpriseManager", &root_attributes(1));
    xml.open("Links", &[]);
    xml.link("Link", "Down", "LogonSessionList", "logonSessions", None, 7);
    xml.link("Link", "Create", "LogonSession", "sessionMngr/?v=latest", None, 7);
    xml.close("Links");
    xml.open("SupportedVersions", &[]);
    for version in ["v1_5", "v1_6", "v1_7"] {
        xml.open("SupportedVersion", &[("Name", version)]);
        xml.open("Links", &[]);
        xml.link("Link", "Create", "LogonSession", &format!("sessionMngr/?v={version}"), None, 7);
        xml.close("Links");
        xml.close("SupportedVersion");
    }
    xml.close("SupportedVersions");
    xml.close("EnterpriseManager");
    xml.into_bytes()
}

fn logon(xml: &mut Xml, attributes: &[(&str, &str)], id: Uuid, user: &str) {
    let href = format!("{}/api/logonSessions/{id}", base(1));
    let mut all = attributes.to_vec();
    all.extend([("Type", "LogonSession"), ("Href", href.as_str())]);
    xml.open("LogonSession", &all);
    xml.open("Links", &[]);
    xml.link("Link", "Up", "EnterpriseManager", "", None, 7);
    for kind in QueryType::all() {
        xml.link("Link", "Down", &format!("{}ReferenceList", kind.name()), kind.path(), None, 7);
    }
    xml.link("Link", "Down", "QueryService", "querySvc", None, 7);
    xml.link("Link", "Delete", "", &format!("logonSessions/{id}"), None, 7);
    xml.close("Links");
    xml.leaf("UserName", user);
    xml.leaf("SessionId", &id.to_string());
    xml.close("LogonSession");
}

/// The answer to a logon.
pub(in crate::simulator) fn logon_session(id: Uuid, user: &str) -> Vec<u8> {
    let mut xml = Xml::compact(3000);
    head(&mut xml, false, 0);
    logon(&mut xml, &[("xmlns", NAMESPACE)], id, user);
    xml.into_bytes()
}

/// Where an action stands.
pub(in crate::simulator) fn task(task: &Task, now: Ticks) -> Vec<u8> {
    let mut xml = Xml::compact(2000);
    head(&mut xml, false, 0);
    let view = task.view(now);
    let href = format!("{}/api/tasks/{}", base(0), task.id);
    xml.open("Task", &[("xmlns", NAMESPACE), ("Type", "Task"), ("Href", &href)]);
    xml.open("Links", &[]);
    xml.empty("Link", &[("Rel", "Delete"), ("Href", &href)]);
    if let Some((uid, name)) = view.session {
        let href = format!("{}/api/cloud/failoverSessions/{uid}?format=Entity", base(0));
        xml.empty("Link", &[("Rel", "Related"), ("Href", &href), ("Name", name), ("Type", "CloudFailoverSession")]);
    }
    xml.close("Links");
    xml.leaf("TaskId", &task.id);
    xml.leaf("State", view.state);
    xml.leaf("Operation", task.operation);
    if let Some((is_success, message)) = view.result {
        xml.open("Result", &[("Success", if is_success { "true" } else { "false" })]);
        xml.leaf("Message", message);
        xml.close("Result");
    }
    xml.close("Task");
    xml.into_bytes()
}

/// Everyone's sessions.
pub(in crate::simulator) fn logon_list(sessions: &[(Uuid, String)]) -> Vec<u8> {
    let mut xml = Xml::compact(3000);
    head(&mut xml, false, 0);
    xml.open("LogonSessions", &[("xmlns", NAMESPACE)]);
    for (id, user) in sessions {
        logon(&mut xml, &[], *id, user);
    }
    xml.close("LogonSessions");
    xml.into_bytes()
}
