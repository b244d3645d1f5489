//! What the API's pages say and what a naive reader trips over, one made-up document each.

use uuid::Uuid;

use super::*;
use crate::kinds;

fn page(kind: &str, rows: &str) -> String {
    format!(
        "\u{feff}<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<QueryResult xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" \
         xmlns=\"http://www.veeam.com/ent/v1.0\"><Entities><{kind}s>{rows}</{kind}s></Entities>\
         <PagingInfo PagesCount=\"1\" PageSize=\"100\" PageNum=\"1\"><Links><Link Rel=\"First\" Href=\"https://em/api/query?a=1&amp;b=2\"/></Links></PagingInfo></QueryResult>"
    )
}

fn entity(name: &str) -> Entity {
    kinds::kind(name).map(crate::kind::SessionKind::entity).expect("a kind")
}

fn read(kind: &str, rows: &str) -> Decoded {
    decode(entity(kind), page(kind, rows).as_bytes()).expect("a page")
}

/// A row's columns as text, by name.
fn column(decoded: &Decoded, row: usize, name: &str) -> Option<String> {
    use crate::batch::Values;
    let at = crate::kind::position(decoded.batch.entity.columns, name).expect("a column");
    match &decoded.batch.values[at] {
        Values::Uid(values) => values[row].map(|uid| uid.to_string()),
        Values::Text(values) => values.get(row).map(str::to_owned),
        Values::Time(values) => values[row].map(crate::timestamp::format),
        Values::Bigint(values) => values[row].map(|value| value.to_string()),
        Values::Bool(values) => values[row].map(|value| value.to_string()),
    }
}

const JOB: &str = r#"<BackupJobSession Href="https://wrong/api/x/ffffffff-ffff-4fff-8fff-ffffffffffff?format=Entity" Type="BackupJobSession" Name="Nightly &amp; &quot;weekly&quot;@2025-06-01 01:00:00" UID="urn:veeam:BackupJobSession:11111111-AAAA-4AAA-8AAA-111111111111" Zone="north">
  <Links>
    <Link Href="http://10.0.0.9/api/backupServers/22222222-2222-4222-8222-222222222222?x=1" Name="vbr01" Type="BackupServerReference" Rel="Up"/>
    <Link Href="https://other/jobs/33333333-3333-4333-8333-333333333333" Name="Nightly" Type="JobReference" Rel="Up"/>
    <Link Href="https://other/restorePoints/55555555-5555-4555-8555-555555555555" Type="RestorePointReference" Rel="Related"/>
    <Link Href="https://other/restorePoints/44444444-4444-4444-8444-444444444444" Type="RestorePointReference" Rel="Down"/>
    <Link Href="https://other/backupSessions/x?action=stop" Rel="Stop"/>
  </Links>
  <JobUid>urn:veeam:Job:33333333-3333-4333-8333-333333333333</JobUid>
  <JobName>Nightly</JobName><JobType>Backup</JobType>
  <CreationTimeUTC>2025-06-01T01:00:00.1234567Z</CreationTimeUTC>
  <EndTimeUTC>2025-06-01T01:30:00Z</EndTimeUTC>
  <State>Stopped</State><Result>Warning</Result><Progress>100</Progress>
  <FailureMessage>Disk &lt;1&gt; &#39;a&#x27;<![CDATA[ & more]]></FailureMessage><IsRetry>True</IsRetry>
  <Bytes>12</Bytes><Deep><Er>1</Er><Er>2</Er></Deep><Empty/>
</BackupJobSession>"#;

#[test]
fn every_column_comes_from_where_its_entry_says() {
    let decoded = read("BackupJobSession", JOB);
    assert_eq!(decoded.rejects, []);
    for (name, expected) in [
        ("uid", "11111111-aaaa-4aaa-8aaa-111111111111"),
        ("backup_server_uid", "22222222-2222-4222-8222-222222222222"),
        ("name", "Nightly & \"weekly\"@2025-06-01 01:00:00"),
        ("creation_time", "2025-06-01T01:00:00.123456Z"),
        ("end_time", "2025-06-01T01:30:00.000000Z"),
        ("state", "Stopped"),
        ("result", "Warning"),
        ("job_uid", "33333333-3333-4333-8333-333333333333"),
        ("job_name", "Nightly"),
        ("progress", "100"),
        ("failure_message", "Disk <1> 'a' & more"),
        ("is_retry", "true"),
        ("restore_point_uids", "[\"44444444-4444-4444-8444-444444444444\",\"55555555-5555-4555-8555-555555555555\"]"),
    ] {
        assert_eq!(column(&decoded, 0, name).as_deref(), Some(expected), "{name}");
    }
    assert!(column(&decoded, 0, "reason_group").is_some());
    assert_eq!(decoded.batch.extra.get(0), Some(r#"{"Bytes":"12","Deep.Er":["1","2"],"Zone":"north"}"#));
    let server = Uuid::parse_str("22222222-2222-4222-8222-222222222222").expect("a GUID");
    assert_eq!(decoded.batch.link_names.get(&server).map(String::as_str), Some("vbr01"));
}

#[test]
fn missing_null_and_empty_are_the_same() {
    let row = |body: &str| {
        format!(
            "<RestoreSession Type=\"RestoreSession\" UID=\"urn:veeam:RestoreSession:11111111-1111-4111-8111-111111111111\" VmDisplayName=\"\">\
             <CreationTimeUTC>2025-06-01T01:00:00Z</CreationTimeUTC><State>Working</State>{body}</RestoreSession>"
        )
    };
    for body in [
        "",
        "<EndTimeUTC/><Result/><Progress/><FailureMessage/><RestoredObjRef></RestoredObjRef>",
        "<EndTimeUTC xsi:nil=\"true\"/><Result></Result><FailureMessage></FailureMessage>",
    ] {
        let decoded = read("RestoreSession", &row(body));
        assert_eq!(decoded.rejects, [], "{body}");
        for name in
            ["end_time", "progress", "failure_message", "vm_display_name", "restored_obj_ref", "backup_server_uid"]
        {
            assert_eq!(column(&decoded, 0, name), None, "{name}");
        }
        assert_eq!(column(&decoded, 0, "result").as_deref(), Some("None"));
        assert_eq!(decoded.batch.extra.get(0), None);
    }
}

#[test]
fn rows_are_known_by_their_type_whatever_their_tag() {
    let row = "<CdpPolicySession Type=\"CdpReplicaSession\" UID=\"urn:veeam:CdpReplicaSession:11111111-1111-4111-8111-111111111111\">\
        <CreationTimeUTC>2025-06-01T01:00:00Z</CreationTimeUTC><State>Working</State><Result>Success</Result></CdpPolicySession>";
    let decoded = read("CdpReplicaSession", row);
    assert_eq!((decoded.batch.len(), decoded.rejects.len()), (1, 0));
    let other = read("CdpReplicaTaskSession", row);
    assert_eq!((other.batch.len(), other.rejects.len()), (0, 1));
    assert!(other.rejects[0].reason.contains("CdpReplicaSession"), "{}", other.rejects[0].reason);
}

#[test]
fn inner_rows_have_the_name_of_their_list() {
    let session = |uid: &str, inner: &str| {
        format!(
            "<CloudFailoverSession Type=\"CloudFailoverSession\" Name=\"Plan\" UID=\"{uid}\" CloudFailoverPlanName=\"Plan A\">\
             <JobType>FailoverPlan</JobType><CreationTimeUTC>2025-06-01T01:00:00Z</CreationTimeUTC><State>Working</State>\
             <Result>None</Result><Progress>1</Progress>{inner}</CloudFailoverSession>"
        )
    };
    let task = |vm: &str| {
        format!(
            "<CloudFailoverTasks VmName=\"{vm}\"><VmReplicaPointLink Rel=\"Related\" Type=\"CloudVmReplicaPointReference\" \
             Href=\"https://x/api/cloud/vmReplicaPoints/66666666-6666-4666-8666-666666666666\" Name=\"{vm}@x\"/>\
             <CreationTimeUTC>2025-06-01T01:00:05.13Z</CreationTimeUTC><State>Working</State><Result>None</Result><Progress>7</Progress></CloudFailoverTasks>"
        )
    };
    let uid = |n: u8| format!("urn:veeam:CloudFailoverSession:11111111-1111-4111-8111-11111111111{n}");
    let rows = [
        session(&uid(1), &format!("<CloudFailoverTasks>{}{}</CloudFailoverTasks>", task("a"), task("b"))),
        session("no identity", &format!("<CloudFailoverTasks>{}</CloudFailoverTasks>", task("lost"))),
        session(&uid(2), "<CloudFailoverTasks/>"),
        session(&uid(3), &format!("<CloudFailoverTasks>{}</CloudFailoverTasks>", task("c"))),
        session(&uid(3), &format!("<CloudFailoverTasks>{}</CloudFailoverTasks>", task("d"))),
    ];
    let decoded = read("CloudFailoverSession", &rows.concat());
    assert_eq!((decoded.batch.len(), decoded.rejects.len()), (3, 1));
    assert_eq!(column(&decoded, 0, "progress").as_deref(), Some("1"));
    assert_eq!(decoded.batch.extra.get(0), None);
    let inner = decoded.batch.inner.as_ref().expect("inner rows");
    assert_eq!(inner.owners, [0, 0, 2], "the last of two rows of one identity counts");
    let crate::batch::Values::Text(names) = &inner.values[0] else { panic!("names are text") };
    assert_eq!(names.iter().flatten().collect::<Vec<_>>(), ["a", "b", "d"]);
    let crate::batch::Values::Uid(points) = &inner.values[1] else { panic!("points are GUIDs") };
    assert!(points.iter().all(Option::is_some));
}

#[test]
fn what_inner_rows_cannot_hold_is_kept_with_their_owner() {
    let row = "<CloudFailoverSession Type=\"CloudFailoverSession\" UID=\"11111111-1111-4111-8111-111111111111\">\
        <CreationTimeUTC>2025-06-01T01:00:00Z</CreationTimeUTC><State>Working</State><CloudFailoverTasks>\
        <CloudFailoverTasks VmName=\"a\" Zone=\"n\"><State>Working</State><Progress>half</Progress><Speed>9</Speed></CloudFailoverTasks>\
        </CloudFailoverTasks></CloudFailoverSession>";
    let decoded = read("CloudFailoverSession", row);
    assert_eq!(
        decoded.batch.extra.get(0),
        Some(
            r#"{"CloudFailoverTasks.CloudFailoverTasks.Progress":"half","CloudFailoverTasks.CloudFailoverTasks.Speed":"9","CloudFailoverTasks.CloudFailoverTasks.Zone":"n"}"#
        )
    );
}

#[test]
fn a_bad_record_is_kept_aside_with_its_text() {
    let row = |uid: &str, created: &str, more: &str| {
        format!("<RestoreSession Type=\"RestoreSession\" UID=\"{uid}\">{created}{more}</RestoreSession>")
    };
    let uid = "urn:veeam:RestoreSession:11111111-1111-4111-8111-111111111111";
    let created = "<CreationTimeUTC>2025-06-01T01:00:00Z</CreationTimeUTC>";
    let good = row(uid, created, "<State>Working</State>");
    for (bad, reason) in [
        (row("", created, "<State>Working</State>"), "UID"),
        (row("urn:veeam:RestoreSession:xyz", created, "<State>Working</State>"), "UID"),
        (row(uid, "", "<State>Working</State>"), "CreationTime"),
        (row(uid, "<CreationTimeUTC>0001-01-01T00:00:00Z</CreationTimeUTC>", "<State>Working</State>"), "CreationTime"),
        (row(uid, created, "<State>Stopped</State><EndTimeUTC>0001-01-01T00:00:00</EndTimeUTC>"), "EndTime"),
        (row(uid, created, ""), "State"),
        ("<RestoreSession/>".to_owned(), "UID"),
    ] {
        let decoded = read("RestoreSession", &format!("{bad}{good}"));
        assert_eq!((decoded.batch.len(), decoded.rejects.len()), (1, 1), "{bad}");
        assert!(decoded.rejects[0].reason.contains(reason), "{:?}", decoded.rejects[0]);
        assert_eq!(decoded.rejects[0].raw, bad);
    }
}

#[test]
fn an_empty_element_leaves_the_link_its_say() {
    for element in ["<JobUid/>", "<JobUid></JobUid>", ""] {
        let row = JOB.replace("<JobUid>urn:veeam:Job:33333333-3333-4333-8333-333333333333</JobUid>", element);
        let decoded = read("BackupJobSession", &row);
        assert_eq!(column(&decoded, 0, "job_uid").as_deref(), Some("33333333-3333-4333-8333-333333333333"));
    }
}

#[test]
fn what_no_record_carries_is_bounded() {
    let leaves = "<Unknown>0123456789</Unknown>".repeat(100_000);
    let row = JOB.replace("<Bytes>12</Bytes>", &leaves);
    let decoded = read("BackupJobSession", &format!("{row}{JOB}"));
    assert_eq!((decoded.batch.len(), decoded.rejects.len()), (1, 1));
    assert!(decoded.rejects[0].reason.contains("unknown elements"), "{}", decoded.rejects[0].reason);
    let error =
        decode(entity("RestoreSession"), page("RestoreSession", &"<RestoreSession/>".repeat(20_000)).as_bytes());
    assert_eq!(error.expect_err("too many"), Error::Records);
}

#[test]
fn a_text_that_its_column_cannot_hold_is_kept_among_the_extras() {
    let row = "<ReplicaJobSession Type=\"ReplicaJobSession\" UID=\"11111111-1111-4111-8111-111111111111\">\
        <CreationTimeUTC>2025-06-01T01:00:00Z</CreationTimeUTC><State>Dreaming</State><Result>Odd</Result>\
        <Progress>half</Progress><IsRetry>perhaps</IsRetry><JobUid>none</JobUid></ReplicaJobSession>";
    let decoded = read("ReplicaJobSession", row);
    assert_eq!(decoded.rejects, []);
    assert_eq!(column(&decoded, 0, "state").as_deref(), Some("Dreaming"));
    for name in ["progress", "is_retry", "job_uid"] {
        assert_eq!(column(&decoded, 0, name), None, "{name}");
    }
    assert_eq!(decoded.batch.extra.get(0), Some(r#"{"IsRetry":"perhaps","JobUid":"none","Progress":"half"}"#));
}

#[test]
fn documents_that_cannot_be_trusted_are_errors() {
    let good = page("RestoreSession", "");
    let cut = &good[..good.len() - 20];
    let deep = page("RestoreSession", &("<a>".repeat(70) + &"</a>".repeat(70)));
    for (body, expected) in [
        (cut.as_bytes(), "malformed"),
        (b"", "malformed"),
        (b"plain text", "malformed"),
        (b"<QueryResult><a></b></QueryResult>", "malformed"),
        (b"<QueryResult/>junk", "malformed"),
        (b"<QueryResult/><QueryResult/>", "malformed"),
        (b"<QueryResult><a>&foo;</a></QueryResult>", "malformed"),
        (b"<html><body>sign in</body></html>", "not a QueryResult"),
        (b"<!DOCTYPE html><html/>", "DOCTYPE"),
        (b"<!DOCTYPE x [<!ENTITY a \"b\">]><QueryResult/>", "DOCTYPE"),
        (deep.as_bytes(), "nests deeper"),
        (b"<QueryResult><Entities/></QueryResult>", "PagingInfo"),
        (b"<QueryResult><PagingInfo PageNum=\"one\" PageSize=\"1\" PagesCount=\"1\"/></QueryResult>", "PagingInfo"),
        (b"\xff\xfe<\x00Q\x00", "UTF-8"),
    ] {
        let error = decode(entity("RestoreSession"), body).expect_err("it cannot be trusted").to_string();
        assert!(error.contains(expected), "{}: {error}", String::from_utf8_lossy(body));
    }
}

#[test]
fn an_empty_list_and_a_missing_one_are_told_apart() {
    assert!(read("RestoreSession", "").has_container);
    for body in ["<Entities/>", "<Entities></Entities>", "", "<Refs/>"] {
        let document =
            format!("<QueryResult>{body}<PagingInfo PageNum=\"1\" PageSize=\"1\" PagesCount=\"0\"/></QueryResult>");
        let decoded = decode(entity("RestoreSession"), document.as_bytes()).expect("a page");
        assert!(!decoded.has_container && decoded.batch.is_empty(), "{body}");
    }
}

#[test]
fn a_hundred_thousand_attributes_are_only_slow_once() {
    let mut row = String::from("<RestoreSession Type=\"RestoreSession\"");
    for n in 0..100_000 {
        row.push_str(&format!(" a{n}=\"x\""));
    }
    row.push_str("/>");
    assert_eq!(read("RestoreSession", &row).rejects.len(), 1);
}

proptest::proptest! {
    #[test]
    fn any_bytes_are_decoded_or_refused(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..400)) {
        let _ = decode(entity("CloudFailoverSession"), &bytes);
    }

    #[test]
    fn any_text_comes_back_as_it_was_written(text in "[\\PC\n\t]{0,60}") {
        let escaped = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        let row = format!(
            "<BackupTaskSession Type=\"BackupTaskSession\" UID=\"11111111-1111-4111-8111-111111111111\">\
             <CreationTimeUTC>2025-06-01T01:00:00Z</CreationTimeUTC><State>Pending</State><Reason>{escaped}</Reason></BackupTaskSession>"
        );
        let decoded = read("BackupTaskSession", &row);
        proptest::prop_assert_eq!(column(&decoded, 0, "reason").unwrap_or_default(), text);
    }
}
