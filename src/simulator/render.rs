//! Entities as XML, with the freedom that real servers take: attributes in any order, elements empty or absent, links
//! to hosts that only the server believes in.

use uuid::Uuid;

use super::ticks::Ticks;
use super::types::{Kind, QueryType};
use super::world::{Broken, Oddities, Session, View, World};

mod answer;
mod parents;

pub(super) use answer::{Answer, answer, error, logon_list, logon_session, root, task};
pub(super) use parents::parent;

pub(super) const NAMESPACE: &str = "http://www.veeam.com/ent/v1.0";

/// Hosts as servers write them into links. None is the address under which a client reached us.
const HOSTS: [&str; 3] = ["https://localhost:9398", "https://em-01.corp.example:9398", "https://10.20.30.9:9398"];

/// The base of a link. `die` decides which host it names.
pub(super) fn base(die: usize) -> &'static str {
    HOSTS[die % HOSTS.len()]
}

/// A writer of XML, with or without line breaks between elements.
pub(super) struct Xml {
    text: String,
    indent: Option<usize>,
}

impl Xml {
    pub(super) fn compact(capacity: usize) -> Xml {
        Xml { text: String::with_capacity(capacity), indent: None }
    }

    /// Lets line breaks and spaces stand between elements from here on, or not.
    pub(super) fn set_pretty(&mut self, pretty: bool) {
        self.indent = pretty.then_some(3);
    }

    pub(super) fn len(&self) -> usize {
        self.text.len()
    }

    /// Takes over a row that was rendered before.
    pub(super) fn push_rendered(&mut self, row: &str) {
        self.text.push_str(row);
    }

    pub(super) fn into_string(self) -> String {
        self.text
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.text.into_bytes()
    }

    fn begin(&mut self) {
        if let Some(depth) = self.indent {
            self.text.push('\n');
            self.text.extend(std::iter::repeat_n("  ", depth));
        }
    }

    fn tag(&mut self, name: &str, attributes: &[(&str, &str)]) {
        self.begin();
        self.text.push('<');
        self.text.push_str(name);
        for (key, value) in attributes {
            self.text.push(' ');
            self.text.push_str(key);
            self.text.push_str("=\"");
            escape(&mut self.text, value, true);
            self.text.push('"');
        }
    }

    pub(super) fn open(&mut self, name: &str, attributes: &[(&str, &str)]) {
        self.tag(name, attributes);
        self.text.push('>');
        self.indent = self.indent.map(|depth| depth + 1);
    }

    pub(super) fn empty(&mut self, name: &str, attributes: &[(&str, &str)]) {
        self.tag(name, attributes);
        self.text.push_str("/>");
    }

    pub(super) fn close(&mut self, name: &str) {
        self.indent = self.indent.map(|depth| depth.saturating_sub(1));
        self.begin();
        self.text.push_str("</");
        self.text.push_str(name);
        self.text.push('>');
    }

    pub(super) fn leaf(&mut self, name: &str, value: &str) {
        self.tag(name, &[]);
        self.text.push('>');
        escape(&mut self.text, value, false);
        self.text.push_str("</");
        self.text.push_str(name);
        self.text.push('>');
    }

    /// A leaf whose content is XML already.
    fn raw_leaf(&mut self, name: &str, value: &str) {
        self.tag(name, &[]);
        self.text.push('>');
        self.text.push_str(value);
        self.text.push_str("</");
        self.text.push_str(name);
        self.text.push('>');
    }

    /// The three ways to say nothing; they all mean the same.
    fn nothing(&mut self, name: &str, die: usize) {
        match die % 3 {
            0 => self.empty(name, &[]),
            1 => self.raw_leaf(name, ""),
            _ => {}
        }
    }

    /// A link. `die` decides the order of its attributes and the host.
    pub(super) fn link(&mut self, tag: &str, rel: &str, kind: &str, path: &str, name: Option<&str>, die: usize) {
        let href = format!("{}/api/{path}", base(die / 7));
        let mut attributes = vec![("Rel", rel), ("Href", href.as_str())];
        if !kind.is_empty() {
            attributes.push(("Type", kind));
        }
        if let Some(name) = name {
            attributes.push(("Name", name));
        }
        let shift = die % attributes.len();
        attributes.rotate_left(shift);
        self.empty(tag, &attributes);
    }
}

fn escape(text: &mut String, value: &str, attribute: bool) {
    for part in value.split_inclusive(['&', '<', '>', '"', '\r', '\n', '\t']) {
        let Some(last) = part.chars().last() else { continue };
        let head = &part[..part.len() - last.len_utf8()];
        let replacement = match last {
            '&' => "&amp;",
            '<' => "&lt;",
            '>' => "&gt;",
            '"' => "&quot;",
            // A reader turns a bare one into a line feed.
            '\r' => "&#xD;",
            // In an attribute a reader turns these into spaces.
            '\n' if attribute => "&#xA;",
            '\t' if attribute => "&#x9;",
            _ => {
                text.push_str(part);
                continue;
            }
        };
        text.push_str(head);
        text.push_str(replacement);
    }
}

/// `urn:veeam:<type>:<guid>`
pub(super) fn urn(kind: &str, uid: Uuid) -> String {
    format!("urn:veeam:{kind}:{uid}")
}

/// The path in the Href of a session, which is not always the one that its type has.
fn own_path(session: &Session) -> &'static str {
    match session.kind {
        Kind::CdpReplicaTaskSession => "replicaTaskSessions",
        Kind::ReplicaTaskSession if session.die().is_multiple_of(4) => "repicaTaskSessions",
        kind => QueryType::Session(kind).path(),
    }
}

/// A session as a row of an answer (`alone` false) or as a document of its own.
pub(super) fn session(xml: &mut Xml, world: &World, row: &Session, view: View, tag: &str, alone: bool) {
    let plain = Oddities::default();
    let odd = row.more.as_deref().unwrap_or(&plain);
    let die = row.die();
    let name = world.name_of(row);
    let href = format!("{}/api/{}/{}?format=Entity", base(die / 7), own_path(row), row.uid);
    let uid = urn(row.kind.name(), row.uid);
    let mut attributes = vec![("Type", row.kind.name()), ("Href", href.as_str()), ("Name", name.as_str())];
    if odd.broken != Some(Broken::NoUid) {
        attributes.push(("UID", uid.as_str()));
    }
    if let Some(vm) = row.vm {
        attributes.push(("VmDisplayName", &world.vms[vm].name));
    }
    if let Some(plan) = &odd.plan_name {
        attributes.push(("CloudFailoverPlanName", plan));
    }
    attributes.extend(odd.attributes.iter().map(|(key, value)| (key.as_str(), value.as_str())));
    let shift = die % attributes.len();
    attributes.rotate_left(shift);
    if alone {
        attributes.insert(0, ("xmlns", NAMESPACE));
    }
    xml.open(tag, &attributes);
    links(xml, world, row, view, odd, &name);
    elements(xml, world, row, view, odd);
    xml.close(tag);
}

fn links(xml: &mut Xml, world: &World, row: &Session, view: View, odd: &Oddities, name: &str) {
    let die = row.die();
    let path = QueryType::Session(row.kind).path();
    xml.open("Links", &[]);
    if !odd.no_server_link {
        server_link(xml, world, row.server, die);
    }
    parent_link(xml, world, row, odd);
    let alternate = format!("{}Reference", row.kind.name());
    xml.link("Link", "Alternate", &alternate, &format!("{path}/{}", row.uid), Some(name), die);
    let below = match row.kind {
        Kind::BackupJobSession => Some(("BackupTaskSessionReferenceList", "taskSessions")),
        Kind::ReplicaJobSession => Some(("ReplicaTaskSessionReferenceList", "repicaTaskSessions")),
        Kind::CdpReplicaSession => Some(("CdpReplicaTaskSessionReferenceList", "cdpReplicaTaskSessions")),
        _ => None,
    };
    if let Some((kind, below)) = below {
        xml.link("Link", "Down", kind, &format!("{path}/{}/{below}", row.uid), None, die);
    }
    if row.kind == Kind::BackupJobSession {
        xml.link("Link", "Stop", "", &format!("{path}/{}?action=stop", row.uid), None, die);
    }
    if view.finished {
        for (n, point) in odd.points.iter().enumerate() {
            xml.link("Link", "Related", "RestorePointReference", &format!("restorePoints/{point}"), Some(""), die + n);
        }
        let made = match row.kind {
            Kind::BackupTaskSession => Some(("VmRestorePoint", "vmRestorePoints", "?format=Entity")),
            Kind::ReplicaTaskSession => Some(("VmReplicaPoint", "vmReplicaPoints", "?format=Entity")),
            _ => None,
        };
        if let (Some((kind, path, query)), Some(point)) = (made, row.point) {
            let name = format!("{}@{}", row.label, row.end.in_name(false));
            xml.link("Link", "Related", kind, &format!("{path}/{point}{query}"), Some(&name), die);
        }
    }
    // What a restore reads is known from its start.
    if let (Kind::RestoreSession, Some(point)) = (row.kind, row.point) {
        let path = format!("vmRestorePoints/{point}");
        xml.link("Link", "Related", "VmRestorePointReference", &path, odd.point_name.as_deref(), die);
    }
    xml.close("Links");
}

pub(super) fn server_link(xml: &mut Xml, world: &World, server: usize, die: usize) {
    let server = &world.servers[server];
    xml.link("Link", "Up", "BackupServerReference", &format!("backupServers/{}", server.uid), Some(&server.name), die);
}

fn parent_link(xml: &mut Xml, world: &World, row: &Session, odd: &Oddities) {
    let die = row.die();
    if let (Some(kind), Some(uid)) = (row.kind.parent(), row.parent) {
        let path = format!("{}/{uid}", QueryType::Session(kind).path());
        let name = world.table(kind).get(uid).map(|parent| world.name_of(parent));
        xml.link("Link", "Up", &format!("{}Reference", kind.name()), &path, name.as_deref(), die + 1);
    }
    let Some(job) = row.job.filter(|_| !odd.no_job_link) else { return };
    if row.kind == Kind::CdpReplicaSession {
        let policy = &world.policies[job];
        xml.link("Link", "Up", "CdpPolicyReference", &format!("cdpPolicies/{}", policy.uid), Some(&policy.name), die);
    } else {
        // Agents' and NAS jobs too stand under /jobs/ here, though they live elsewhere.
        let job = &world.jobs[job];
        xml.link("Link", "Up", "JobReference", &format!("jobs/{}", job.uid), Some(&job.name), die);
    }
}

fn elements(xml: &mut Xml, world: &World, row: &Session, view: View, odd: &Oddities) {
    let die = row.die();
    match (row.kind, row.job, row.parent) {
        (Kind::CdpReplicaSession, Some(policy), _) => {
            let policy = &world.policies[policy];
            if !odd.no_job_uid {
                xml.leaf("PolicyUid", &urn("CdpPolicy", policy.uid));
            }
            xml.leaf("PolicyName", &policy.name);
            xml.leaf("PolicyType", row.job_type);
        }
        (Kind::BackupJobSession | Kind::ReplicaJobSession, Some(job), _) => {
            let job = &world.jobs[job];
            if !odd.no_job_uid {
                xml.leaf("JobUid", &urn("Job", job.uid));
            }
            xml.leaf("JobName", &job.name);
            xml.leaf("JobType", row.job_type);
        }
        (Kind::CdpReplicaTaskSession, _, Some(parent)) => {
            xml.leaf("PolicySessionUid", &urn("CdpReplicaSession", parent));
        }
        (kind, _, Some(parent)) => {
            xml.leaf("JobSessionUid", &urn(kind.parent().map_or("JobSession", Kind::name), parent));
        }
        (Kind::RestoreSession | Kind::CloudFailoverSession, ..) => xml.leaf("JobType", row.job_type),
        _ => {}
    }
    match odd.broken {
        Some(Broken::NoCreationTime) => {}
        Some(Broken::YearOne) => xml.leaf("CreationTimeUTC", "0001-01-01T00:00:00Z"),
        Some(Broken::NoUid) | None => xml.leaf("CreationTimeUTC", &row.creation.wire()),
    }
    match view.end {
        Some(end) => xml.leaf("EndTimeUTC", &end.wire()),
        None => xml.nothing("EndTimeUTC", if die.is_multiple_of(4) { die / 4 } else { 2 }),
    }
    xml.leaf("State", view.state);
    if let Some(result) = view.result {
        xml.leaf("Result", result);
    }
    if let Some(progress) = view.progress {
        xml.leaf("Progress", &progress.to_string());
    }
    let message = if row.kind.is_task() { "Reason" } else { "FailureMessage" };
    match (&row.message, &odd.raw_message) {
        (Some(_), Some(raw)) if view.says_why => xml.raw_leaf(message, raw),
        (Some(text), None) if view.says_why => xml.leaf(message, text),
        _ => xml.nothing(message, die / 3),
    }
    if row.kind.is_task() {
        xml.leaf("TotalSize", &if view.finished { row.size_bytes } else { 0 }.to_string());
        if let (Kind::BackupTaskSession, Some(vm)) = (row.kind, row.vm) {
            xml.leaf("VmUid", &world.vms[vm].reference);
        }
    }
    if let (Kind::RestoreSession, Some(vm)) = (row.kind, row.vm) {
        xml.leaf("RestoredObjRef", &world.vms[vm].reference);
    }
    if matches!(row.kind, Kind::BackupJobSession | Kind::ReplicaJobSession | Kind::CdpReplicaSession) {
        xml.leaf("IsRetry", if row.is_retry { "true" } else { "false" });
    }
    for (key, value) in &odd.elements {
        xml.leaf(key, value);
    }
    if row.kind == Kind::CloudFailoverSession {
        inner(xml, row, view);
    }
}

/// The list and its rows have one name.
fn inner(xml: &mut Xml, row: &Session, view: View) {
    const TAG: &str = "CloudFailoverTasks";
    let shown = row.shown_inner(view);
    if shown.is_empty() {
        xml.empty(TAG, &[]);
        return;
    }
    xml.open(TAG, &[]);
    for (n, task) in shown.iter().enumerate() {
        let (die, view) = (row.die() + n, task.view(view.collected));
        xml.open(TAG, &[("VmName", &task.vm_name)]);
        if let Some(point) = task.point {
            let (path, name) =
                (format!("cloud/vmReplicaPoints/{point}"), format!("{}@2025-11-02 03:04:05", task.vm_name));
            xml.link("VmReplicaPointLink", "Related", "CloudVmReplicaPointReference", &path, Some(&name), die);
        }
        xml.leaf("CreationTimeUTC", &task.creation.wire());
        if let Some(end) = view.end {
            xml.leaf("EndTimeUTC", &end.wire());
        }
        xml.leaf("State", view.state);
        xml.leaf("Result", view.result.unwrap_or("None"));
        xml.leaf("Progress", &view.progress.unwrap_or(0).to_string());
        match task.message.as_deref().filter(|_| view.says_why) {
            Some(text) => xml.leaf("FailureMessage", text),
            None => xml.nothing("FailureMessage", die),
        }
        xml.close(TAG);
    }
    xml.close(TAG);
}

/// A reference to a session: what a query without `format=Entities` gives.
pub(super) fn session_reference(xml: &mut Xml, world: &World, row: &Session) {
    let (path, name) = (QueryType::Session(row.kind).path(), world.name_of(row));
    reference(xml, row.kind.name(), path, row.uid, &name, &mut |xml| {
        server_link(xml, world, row.server, row.die());
    });
}

pub(super) fn reference(xml: &mut Xml, kind: &str, path: &str, uid: Uuid, name: &str, up: &mut dyn FnMut(&mut Xml)) {
    let href = format!("{}/api/{path}/{uid}", base(0));
    let (urn, reference) = (urn(kind, uid), format!("{kind}Reference"));
    xml.open("Ref", &[("UID", &urn), ("Name", name), ("Href", &href), ("Type", &reference)]);
    xml.open("Links", &[]);
    up(xml);
    xml.link("Link", "Alternate", kind, &format!("{path}/{uid}?format=Entity"), Some(name), 0);
    xml.close("Links");
    xml.close("Ref");
}

/// A time, or nothing where there is none.
fn optional_time(xml: &mut Xml, name: &str, time: Option<Ticks>) {
    if let Some(time) = time {
        xml.leaf(name, &time.wire());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_in_values_is_escaped() {
        let mut text = String::new();
        escape(&mut text, "a<b> & \"c\"\r\nd\tü🧊", false);
        assert_eq!(text, "a&lt;b&gt; &amp; &quot;c&quot;&#xD;\nd\tü🧊");
        text.clear();
        escape(&mut text, "a\nb\tc", true);
        assert_eq!(text, "a&#xA;b&#x9;c");
    }
}
