//! The small documents around the queries: the API's root, a logon, an error, and whatever answers in their place.

use quick_xml::events::{BytesStart, Event};

use crate::decode::{Events, attributes, document_text, push_reference, push_text};

/// More versions than any product offers.
const MAX_VERSIONS: usize = 100;

/// The names of the versions in `EnterpriseManager/SupportedVersions`; `None` if the document is another.
pub(super) fn supported_versions(body: &[u8]) -> Option<Vec<String>> {
    let mut versions = Vec::new();
    let root = walk(body, |path, start| {
        if versions.len() < MAX_VERSIONS && path.last().is_some_and(|name| name == "SupportedVersion") {
            versions.extend(attribute(start, "Name").map(|name| printable(&name)));
        }
    })?;
    (root.name == "EnterpriseManager").then_some(versions)
}

/// `LogonSession/SessionId`, if it is fit to stand in a path.
pub(super) fn session_id(body: &[u8]) -> Option<String> {
    let root = walk(body, |_, _| {})?;
    let id = root.session_id?;
    let id = id.trim();
    let is_plain =
        !id.is_empty() && id.len() <= 100 && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    is_plain.then(|| id.to_owned())
}

/// `Error@Message`; `None` if the document is no error of the API.
pub(super) fn error_message(body: &[u8]) -> Option<String> {
    let mut message = None;
    let root = walk(body, |path, start| {
        if path.len() == 1 {
            message = attribute(start, "Message");
        }
    })?;
    (root.name == "Error").then(|| printable(&message.unwrap_or_default()))
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

struct Root {
    name: String,
    /// The text of the first `SessionId` directly inside.
    session_id: Option<String>,
}

/// Goes through a whole document; `None` if it is not one.
fn walk(body: &[u8], mut each: impl FnMut(&[String], &BytesStart<'_>)) -> Option<Root> {
    let mut events = Events::new(document_text(body).ok()?);
    let mut path: Vec<String> = Vec::new();
    let mut root = None;
    let mut text = String::new();
    loop {
        let event = events.next().ok()?;
        match &event {
            Event::Start(start) | Event::Empty(start) => {
                path.push(start.local_name().into_inner().to_owned());
                each(&path, start);
                text.clear();
                if path.len() == 1 {
                    root = Some(Root { name: path[0].clone(), session_id: None });
                }
                if matches!(event, Event::Empty(_)) {
                    path.pop();
                }
            }
            Event::End(_) => {
                if let (Some("SessionId"), Some(root), 1) = (path.pop().as_deref(), &mut root, path.len()) {
                    root.session_id.get_or_insert_with(|| std::mem::take(&mut text));
                }
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
