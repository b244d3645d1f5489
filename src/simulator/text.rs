//! Names and messages, with everything in them that has ever broken a reader.

use std::sync::Arc;

use super::world::{Oddities, Outcome};

const TOWNS: &[&str] = &["ber", "lyo", "osl", "por", "gdn", "tur", "bre", "aar", "gra", "vie"];

const ROLES: &[&str] = &[
    "sql", "file", "web", "mail", "dc", "erp", "print", "build", "proxy", "log", "crm", "wiki", "vpn", "lab", "auth",
    "dns",
];

const JOB_NAMES: &[&str] = &[
    "Nightly databases",
    "File servers",
    "Büro Köln – täglich",
    "Web tier",
    "R&D \"gold\" <prod>",
    "Domain controllers",
    "O'Hara's desktops",
    "Łódź зал 3 サーバー",
    "Finance\\Payroll",
    "Everything else 🚚",
];

const WARNINGS: &[&str] = &[
    "Free space on repository \"Tier-2\" is down to 7 % (214.6 GB of 3 TB).",
    "Guest indexing was skipped: the folder C:\\Users\\Public\\Ünlü & Söhne could not be opened. ",
    "Change tracking was reset. The whole disk [ssd-03] {disk 2 of 4} was read.",
    "VM tools are out of date on 'app<17>'\nThe machine was saved without its application state.",
    "Retry 2 of 3 was needed\tto reach host esx-11.corp.example",
];

const FAILURES: &[&str] = &[
    "Cannot write to \\\\nas-07.corp.example\\backups$\\weekly\\set{4}.vbk: no space left. ",
    "Error: the snapshot \"auto-0412\" could not be made. Host answered: {\"code\":507,\"hint\":\"datastore <ds-9> is full\"}",
    "Connection to 10.20.30.44:2500 was closed by the other side.\nAgent stopped at block 0x1F3A\\0x20.\nNothing was saved. ",
    "Der Dienst »VSS« antwortet nicht: Zeitüberschreitung nach 900 s & kein zweiter Versuch.",
    "Logon as CORP\\svc-backup failed: the password has expired 🔑",
    "Processing was cancelled: backup window {22:00-05:00} is over\r\nremaining: 3 of 12 disks",
    "Tape & disk both say 'busy' <retry later>",
    "Disk \"Hard disk 2\" (0 B): путь не найден, 見つかりません",
];

/// `sql-ber-017`
pub(super) fn vm_name(n: usize) -> Arc<str> {
    format!("{}-{}-{n:03}", ROLES[n % ROLES.len()], TOWNS[n / ROLES.len() % TOWNS.len()]).into()
}

/// A server's DNS name.
pub(super) fn server_name(n: usize) -> Arc<str> {
    format!("vbr-{}-{:02}.corp.example", TOWNS[n % TOWNS.len()], n + 1).into()
}

/// The name of the `n`th job, different for each `n`.
pub(super) fn job_name(n: usize, what: &str) -> Arc<str> {
    let base = JOB_NAMES[n % JOB_NAMES.len()];
    match n / JOB_NAMES.len() {
        0 => format!("{base} {what}").into(),
        round => format!("{base} {what} {}", round + 1).into(),
    }
}

/// Why something ended so; a success says nothing.
pub(super) fn message(rng: &mut fastrand::Rng, outcome: Outcome) -> Option<Arc<str>> {
    let texts = match outcome {
        Outcome::Success => return None,
        Outcome::Warning => WARNINGS,
        Outcome::Failed => FAILURES,
    };
    Some(texts[rng.usize(..texts.len())].into())
}

/// A message whose XML is not what escaping would make of it: (truth, XML).
pub(super) fn odd_message(n: usize) -> (Arc<str>, String) {
    match n % 3 {
        0 => ("Pfad D:\\Größe <x> was lost".into(), "Pfad D:&#x5C;Gr&#246;&#xDF;e &#60;x&#x3e; was lost".to_owned()),
        // Not a character that XML 1.0 allows, nor may a reader die of it.
        1 => ("Header \u{FFFD} is damaged".into(), "Header &#1; is damaged".to_owned()),
        _ => (
            "said \"no\" & 'never' 🧊 <end>".into(),
            "said &quot;no&quot; &amp; &apos;never&apos; &#x1F9CA; <![CDATA[<end>]]>".to_owned(),
        ),
    }
}

/// Things that no documentation knows.
pub(super) fn unknown_parts(rng: &mut fastrand::Rng, odd: &mut Oddities) {
    odd.elements.push(("TransferredBytes".to_owned(), rng.u64(1 << 20..1 << 40).to_string()));
    if rng.bool() {
        odd.elements.push(("Note".to_owned(), "checked & \"kept\"\\ ü".to_owned()));
    }
    if rng.bool() {
        odd.attributes.push(("Tier".to_owned(), "<gold> & \"silver\"".to_owned()));
    }
}
