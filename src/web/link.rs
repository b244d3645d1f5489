//! The addresses of pages, and which names have one.

use std::collections::HashMap;

use chrono_tz::Tz;
use url::form_urlencoded::Serializer;
use uuid::Uuid;

use crate::report::Target;
use crate::store::Known;

/// Views know no machine of a longer name.
const LONGEST_NAME: usize = 500;

/// Which names lead somewhere.
pub(super) struct Links {
    jobs: HashMap<(String, String), Uuid>,
    zone: Tz,
}

impl Links {
    /// With these jobs, and times in that zone on the pages to which they lead.
    pub(super) fn new(jobs: &[Known], zone: Tz) -> Self {
        let key = |job: &Known| Some(((job.name.clone(), job.server.clone()?), job.uid?));
        Self { jobs: jobs.iter().filter_map(key).collect(), zone }
    }

    pub(super) fn href(&self, target: Target<'_>) -> Option<String> {
        match target {
            Target::Job { name, server } => {
                self.jobs.get(&(name.to_owned(), server.to_owned())).map(|uid| job(*uid, self.zone))
            }
            Target::Machine { name, server } => machine(name, server, self.zone),
            Target::Session { kind, uid } => Some(session(kind, uid)),
        }
    }
}

/// The address of a place, to which questions are added.
pub(super) fn query(place: &str) -> Serializer<'static, String> {
    let address = format!("{place}?");
    let end = address.len();
    Serializer::for_suffix(address, end)
}

pub(super) fn job(uid: Uuid, zone: Tz) -> String {
    match zone {
        Tz::UTC => format!("/jobs/{uid}"),
        zone => {
            format!("/jobs/{uid}?{}", Serializer::new(String::new()).append_pair("time-zone", zone.name()).finish())
        }
    }
}

/// `None` where views would not know it.
pub(super) fn machine(name: &str, server: &str, zone: Tz) -> Option<String> {
    if name.is_empty() || server.is_empty() || name.chars().count() > LONGEST_NAME {
        return None;
    }
    let mut query = query("/machines");
    query.append_pair("server", server).append_pair("name", name);
    if zone != Tz::UTC {
        query.append_pair("time-zone", zone.name());
    }
    Some(query.finish())
}

pub(super) fn session(kind: &str, uid: Uuid) -> String {
    format!("/sessions/{kind}/{uid}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_encoded_and_unknown_ones_lead_nowhere() {
        let uid = Uuid::from_u128(7);
        let known = Known { uid: Some(uid), name: "a&b".into(), server: Some("x".into()), what: "Backup".into() };
        let links = Links::new(&[known], Tz::Europe__Berlin);
        let long = "n".repeat(501);
        let href = |target| links.href(target);
        assert_eq!(
            href(Target::Job { name: "a&b", server: "x" }),
            Some(format!("/jobs/{uid}?time-zone=Europe%2FBerlin"))
        );
        assert_eq!(href(Target::Job { name: "a&b", server: "y" }), None);
        let machine = href(Target::Machine { name: "<a> \"&\"", server: "x" });
        assert_eq!(machine.as_deref(), Some("/machines?server=x&name=%3Ca%3E+%22%26%22&time-zone=Europe%2FBerlin"));
        assert_eq!(href(Target::Machine { name: &long, server: "x" }), None);
        assert_eq!(href(Target::Machine { name: "n", server: "" }), None);
        assert_eq!(
            href(Target::Session { kind: "RestoreSession", uid }),
            Some(format!("/sessions/RestoreSession/{uid}"))
        );
    }
}
