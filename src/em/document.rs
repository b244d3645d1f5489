//! The small documents around the queries: the API's root, a logon, an error, and whatever answers in their place.

use chrono::{DateTime, Utc};
use quick_xml::events::{BytesStart, Event};
use uuid::Uuid;

use super::{Collecting, Task};
use crate::batch::guid;
use crate::decode::{Events, attributes, document_text, push_reference, push_text};
use crate::timestamp;

/// More versions than any product offers.
const MAX_VERSIONS: usize = 100;

/// The names of the versions in `EnterpriseManager/SupportedVersions`; `None` if the document is another.
pub(super) fn supported_versions(body: &[u8]) -> Option<Vec<String>> {
    let mut versions = Vec::new();
    let root = walk(body, |path, part| {
        if let Part::Start(start) = part
            && versions.len() < MAX_VERSIONS
            && path.last().is_some_and(|name| name == "SupportedVersion")
        {
            versions.extend(attribute(start, "Name").map(|name| printable(&name)));
        }
    })?;
    (root == "EnterpriseManager").then_some(versions)
}

/// `LogonSession/SessionId`, if it is fit to stand in a path.
pub(super) fn session_id(body: &[u8]) -> Option<String> {
    let mut id = None;
    walk(body, |path, part| {
        if let (Part::Text(text), [_, name]) = (part, path)
            && name == "SessionId"
        {
            id.get_or_insert_with(|| text.trim().to_owned());
        }
    })?;
    id.filter(|id| is_plain(id))
}

/// A `Task`; `None` if the document is another, or its identity is not fit to stand in a path.
pub(super) fn task(body: &[u8]) -> Option<Task> {
    let mut task = Task { id: String::new(), state: String::new(), is_success: None, message: None, session: None };
    let root = walk(body, |path, part| {
        let names: Vec<&str> = path.iter().skip(1).map(String::as_str).collect();
        match (names.as_slice(), part) {
            (["TaskId"], Part::Text(text)) => task.id = text.trim().to_owned(),
            (["State"], Part::Text(text)) => task.state = printable(text),
            (["Result"], Part::Start(start)) => {
                task.is_success = attribute(start, "Success").map(|truth| truth.trim().eq_ignore_ascii_case("true"));
            }
            (["Result", "Message"], Part::Text(text)) => {
                task.message = Some(printable(text)).filter(|text| !text.is_empty());
            }
            (["Links", "Link"], Part::Start(start)) => {
                let is = |name, value: &str| attribute(start, name).is_some_and(|found| found.starts_with(value));
                if is("Rel", "Related") && is("Type", "CloudFailoverSession") {
                    task.session = attribute(start, "Href").and_then(|href| last_guid(&href)).or(task.session);
                }
            }
            _ => {}
        }
    })?;
    (root == "Task" && is_plain(&task.id) && !task.state.is_empty()).then_some(task)
}

/// The collections in a `SystemSessions`, whose rows are called `Sessions`; `None` if the document is another.
pub(super) fn collections(body: &[u8]) -> Option<Vec<Collecting>> {
    let mut found = Vec::new();
    let mut row = Row::default();
    let root = walk(body, |path, part| {
        let names: Vec<&str> = path.iter().skip(1).map(String::as_str).collect();
        match (names.as_slice(), part) {
            (["Sessions"], Part::Start(_)) => row = Row::default(),
            (["Sessions"], Part::Text(_)) => found.extend(std::mem::take(&mut row).collecting()),
            (["Sessions", "SessionType"], Part::Text(text)) => {
                row.is_collection = matches!(text.trim(), "CollectJob" | "HistoryCollectJob");
            }
            (["Sessions", "CreationTimeUTC"], Part::Text(text)) => row.creation_time = timestamp::parse(text.trim()),
            (["Sessions", "EndTimeUTC"], Part::Text(text)) => row.end_time = timestamp::parse(text.trim()),
            (["Sessions", "State"], Part::Text(text)) => row.state = printable(text),
            (["Sessions", "Result", "Message"], Part::Text(text)) => row.message = printable(text),
            _ => {}
        }
    })?;
    (root == "SystemSessions").then_some(found)
}

/// A row of system sessions.
#[derive(Default)]
struct Row {
    is_collection: bool,
    creation_time: Option<DateTime<Utc>>,
    end_time: Option<DateTime<Utc>>,
    state: String,
    message: String,
}

impl Row {
    fn collecting(self) -> Option<Collecting> {
        let creation_time = self.creation_time.filter(|_| self.is_collection)?;
        let message = Some(self.message).filter(|text| !text.is_empty());
        Some(Collecting { creation_time, end_time: self.end_time, state: self.state, message })
    }
}

/// `Error@Message`; `None` if the document is no error of the API.
pub(super) fn error_message(body: &[u8]) -> Option<String> {
    let mut message = None;
    let root = walk(body, |path, part| {
        if let (Part::Start(start), 1) = (part, path.len()) {
            message = attribute(start, "Message");
        }
    })?;
    (root == "Error").then(|| printable(&message.unwrap_or_default()))
}

/// The GUID at the end of an address's path.
fn last_guid(href: &str) -> Option<Uuid> {
    let path = href.split(['?', '#']).next()?;
    guid(path.trim_end_matches('/').rsplit('/').next()?)
}

/// Whether an identity may stand in a path.
fn is_plain(id: &str) -> bool {
    !id.is_empty() && id.len() <= 100 && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// What answered instead of the API, in a few words. Nothing of it is quoted but a page's title: a body may carry what
/// must not be printed.
pub(super) fn describe(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(&body[..body.len().min(4096)]);
    let lower = text.to_ascii_lowercase();
    let start = lower.trim_start_matches('\u{feff}').trim_start();
    if start.is_empty() {
        return "an empty body".to_owned();
    }
    if lower.contains("<html") || lower.contains("<!doctype html") {
        let title = lower.find("<title>").and_then(|from| {
            let title = text.get(from + 7..)?;
            title.split('<').next().map(|title| format!(" titled {:?}", printable(title.trim())))
        });
        return format!("an HTML page{}", title.unwrap_or_default());
    }
    if start.starts_with(['{', '[']) {
        return "a JSON document".to_owned();
    }
    if start.starts_with('<') {
        return "another XML document".to_owned();
    }
    format!("{} bytes that are neither XML nor HTML", body.len())
}

/// Text from outside on one line, shortened, without control characters.
pub(super) fn printable(text: &str) -> String {
    text.chars().take(300).map(|c| if c.is_control() { ' ' } else { c }).collect::<String>().trim().to_owned()
}

/// What a document has at a path of names.
enum Part<'a> {
    /// An element begins.
    Start(&'a BytesStart<'a>),
    /// It ends, and this is the text since the last tag.
    Text(&'a str),
}

/// Goes through a whole document and returns its root's name; `None` if it is not one.
fn walk(body: &[u8], mut each: impl FnMut(&[String], Part<'_>)) -> Option<String> {
    let mut events = Events::new(document_text(body).ok()?);
    let mut path: Vec<String> = Vec::new();
    let mut root = None;
    let mut text = String::new();
    loop {
        let event = events.next().ok()?;
        match &event {
            Event::Start(start) | Event::Empty(start) => {
                path.push(start.local_name().into_inner().to_owned());
                root.get_or_insert_with(|| path[0].clone());
                each(&path, Part::Start(start));
                text.clear();
                if matches!(event, Event::Empty(_)) {
                    path.pop();
                }
            }
            Event::End(_) => {
                each(&path, Part::Text(&text));
                path.pop();
                text.clear();
            }
            Event::Text(part) => push_text(&mut text, part),
            Event::CData(part) => push_text(&mut text, part),
            Event::GeneralRef(reference) => push_reference(&mut text, reference),
            Event::Eof => return root,
            _ => {}
        }
    }
}

fn attribute(start: &BytesStart<'_>, wanted: &str) -> Option<String> {
    let mut found = None;
    attributes(start, |name, value| {
        if name == wanted {
            found = Some(value.to_owned());
        }
    })
    .ok()?;
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_told_apart() {
        let root = br#"<?xml version="1.0"?><EnterpriseManager xmlns="http://www.veeam.com/ent/v1.0"><SupportedVersions><SupportedVersion Name="v1_6"/><SupportedVersion Name="v1_7"><Links/></SupportedVersion></SupportedVersions></EnterpriseManager>"#;
        assert_eq!(supported_versions(root), Some(vec!["v1_6".to_owned(), "v1_7".to_owned()]));
        assert_eq!(supported_versions(b"<html></html>"), None);
        let logon = b"\xef\xbb\xbf<LogonSession><Links/><UserName>A\\b</UserName><SessionId> 15a3fc97-0325 </SessionId></LogonSession>";
        assert_eq!(session_id(logon).as_deref(), Some("15a3fc97-0325"));
        assert_eq!(session_id(b"<LogonSession><SessionId>../../x</SessionId></LogonSession>"), None);
        assert_eq!(
            error_message(br#"<Error Message="No &quot;x&quot;" StatusCode="400"/>"#).as_deref(),
            Some("No \"x\"")
        );
        assert_eq!(error_message(b"<html/>"), None);
    }

    #[test]
    fn a_task_says_where_an_action_stands() {
        let running = br#"<Task xmlns="x" Type="Task" Href="https://em/api/tasks/task-5"><Links><Link Rel="Delete" Href="https://em/api/tasks/task-5"/></Links><TaskId>task-5</TaskId><State>Running</State><Operation>StartCloudFailoverPlan</Operation></Task>"#;
        let found = task(running).expect("a task");
        assert_eq!((found.id.as_str(), found.state.as_str(), found.is_success), ("task-5", "Running", None));
        let finished = br#"<Task><Links><Link Rel="Related" Type="CloudFailoverSession" Href="https://em/api/cloud/failoverSessions/12295005-66e6-477d-a6d3-1401dd27476e?format=Entity"/></Links><TaskId>task-5</TaskId><State>Finished</State><Result Success="true"><Message>Ok &amp; done</Message></Result></Task>"#;
        let found = task(finished).expect("a task");
        assert!(found.is_finished());
        assert_eq!((found.is_success, found.message.as_deref()), (Some(true), Some("Ok & done")));
        assert_eq!(found.session, Uuid::parse_str("12295005-66e6-477d-a6d3-1401dd27476e").ok());
        for other in
            ["<Task><State>Running</State></Task>", "<Task><TaskId>../x</TaskId><State>x</State></Task>", "<html/>"]
        {
            assert_eq!(task(other.as_bytes()), None);
        }
    }

    #[test]
    fn collections_are_told_from_other_system_sessions() {
        let row = |kind: &str, rest: &str| {
            format!(
                "<Sessions Type=\"SystemSession\" Name=\"x\"><Links/><SessionType>{kind}</SessionType>{rest}</Sessions>"
            )
        };
        let body = format!(
            "<SystemSessions xmlns=\"x\">{}{}{}</SystemSessions>",
            row("LicAutoUpdate", "<CreationTimeUTC>2026-03-01T04:00:00Z</CreationTimeUTC><State>Failed</State>"),
            row(
                "CollectJob",
                "<CreationTimeUTC>2026-03-01T03:00:00.07Z</CreationTimeUTC><EndTimeUTC>2026-03-01T03:00:18Z</EndTimeUTC>\
                 <State>CompletedWarning</State><Result><Result>CompletedWarning</Result><Message>vbr &lt;2&gt;</Message>\
                 <IsCanceled>false</IsCanceled></Result>",
            ),
            row(
                "HistoryCollectJob",
                "<CreationTimeUTC>2026-03-01T03:15:00Z</CreationTimeUTC><State>InProgress</State>"
            ),
        );
        let found = collections(body.as_bytes()).expect("a list");
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].message.as_deref(), Some("vbr <2>"));
        assert_eq!(found[0].end_time, timestamp::parse("2026-03-01T03:00:18Z"));
        assert!(found[0].is_good() && !found[1].is_good());
        assert_eq!((found[1].end_time, found[1].state.as_str()), (None, "InProgress"));
        assert_eq!(collections(b"<SystemSessions/>"), Some(Vec::new()));
        assert_eq!(collections(b"<QueryResult/>"), None);
    }

    #[test]
    fn what_answered_instead_is_described() {
        for (body, expected) in [
            (&b""[..], "an empty body"),
            (b"<!DOCTYPE html><html><head><title>Sign\nin</title>", "an HTML page titled \"Sign in\""),
            (b"{\"error\": 1}", "a JSON document"),
            (b"<LogonSession><SessionId>secret</SessionId></LogonSession>", "another XML document"),
            (b"SSH-2.0-x", "9 bytes that are neither XML nor HTML"),
        ] {
            assert_eq!(describe(body), expected);
        }
    }
}
