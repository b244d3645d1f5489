//! Enterprise Manager's own sessions: its collections from the backup servers, as `/systemSessions` lists them.

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::render::{NAMESPACE, Xml};
use super::ticks::Ticks;
use super::world::{COLLECTION_SECS, World};

/// The list goes this far back; a real one lists 30 days.
const LISTED_SECS: i64 = 2 * 86_400;

/// How long a collection takes.
const TAKES_SECS: i64 = 18;

impl World {
    /// From then on Enterprise Manager collects from no server.
    pub fn stop_collecting(&mut self, at: DateTime<Utc>) {
        let end = at + TimeDelta::days(10_000);
        for server in 0..self.servers.len() {
            self.add_outage(server, at, end);
        }
        self.collects_until = Some(Ticks::from_utc(at));
    }

    /// The list as a document, newest last but for a session of another type.
    pub(super) fn system_sessions(&self, now: Ticks) -> Vec<u8> {
        let mut xml = Xml::compact(64 * 1024);
        xml.open("SystemSessions", &[("xmlns", NAMESPACE)]);
        let last = self.collects_until.map_or(now, |until| until.min(now));
        let mut begun = now.plus_secs(-LISTED_SECS).floor_to(COLLECTION_SECS, 0);
        while begun <= last {
            let ended = begun.plus_secs(TAKES_SECS);
            let state = if ended > now {
                "InProgress"
            } else if self.servers.iter().any(|server| server.is_away(begun)) {
                "CompletedWarning"
            } else {
                "CompletedSuccessfully"
            };
            row(&mut xml, "CollectJob", begun, Some(ended).filter(|ended| *ended <= now), state);
            begun = begun.plus_secs(COLLECTION_SECS);
        }
        row(&mut xml, "LicAutoUpdate", now.plus_secs(-60), Some(now.plus_secs(-50)), "Failed");
        xml.close("SystemSessions");
        xml.into_bytes()
    }
}

fn row(xml: &mut Xml, kind: &str, begun: Ticks, ended: Option<Ticks>, state: &str) {
    let id = Uuid::from_u128(begun.utc().timestamp().unsigned_abs().into());
    let (href, uid) =
        (format!("https://em.local:9398/api/systemSessions/{id}"), format!("urn:veeam:SystemSession:{id}"));
    let name = format!("{kind} @{}", begun.in_name(true));
    xml.open("Sessions", &[("Href", &href), ("Type", "SystemSession"), ("Name", &name), ("UID", &uid)]);
    xml.open("Links", &[]);
    xml.close("Links");
    xml.leaf("SessionType", kind);
    xml.leaf("CreationTimeUTC", &begun.wire());
    if let Some(ended) = ended {
        xml.leaf("EndTimeUTC", &ended.wire());
    }
    xml.leaf("State", state);
    xml.open("Result", &[]);
    xml.leaf("Result", state);
    xml.leaf("Message", if state == "CompletedWarning" { "A backup server could not be reached" } else { "" });
    xml.close("Result");
    xml.close("Sessions");
}
