//! A client and a reader of XML that share nothing with the collector.

use std::collections::BTreeMap;

use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::Event;

use super::Simulator;

/// A client that speaks the plainest HTTP, so that nothing of the collector takes part.
pub(super) struct Client {
    pub(super) http: reqwest::Client,
    pub(super) base: String,
    pub(super) token: String,
}

impl Client {
    pub(super) async fn log_on(simulator: &Simulator) -> Client {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        let base = format!("{}/api", simulator.url());
        let answer = http
            .post(format!("{base}/sessionMngr/?v=latest"))
            .basic_auth("demo", Some("demo"))
            .header("Content-Length", "0")
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), 201);
        let token = answer.headers()["X-RestSvcSessionId"].to_str().unwrap().to_owned();
        Client { http, base, token }
    }

    pub(super) async fn get(&self, path: &str, parameters: &[(&str, &str)]) -> reqwest::Result<(u16, String)> {
        let mut url = url::Url::parse(&format!("{}/{path}", self.base)).unwrap();
        url.query_pairs_mut().extend_pairs(parameters);
        let answer = self.http.get(url).header("X-RestSvcSessionId", &self.token).send().await?;
        Ok((answer.status().as_u16(), answer.text().await?))
    }

    pub(super) async fn query(&self, kind: &str, filter: &str, more: &[(&str, &str)]) -> Doc {
        let mut parameters = vec![("type", kind), ("format", "Entities")];
        if !filter.is_empty() {
            parameters.push(("filter", filter));
        }
        parameters.extend(more);
        let (status, body) = self.get("query", &parameters).await.unwrap();
        assert_eq!(status, 200, "{body}");
        Doc::read(&body)
    }
}

/// A row as a reader of XML sees it.
#[derive(Debug, Default, Clone)]
pub(super) struct Entity {
    pub(super) tag: String,
    pub(super) attributes: BTreeMap<String, String>,
    pub(super) leaves: BTreeMap<String, String>,
    /// Rel, Type, last segment of the Href, Name.
    pub(super) links: Vec<BTreeMap<String, String>>,
}

#[derive(Debug, Default)]
pub(super) struct Doc {
    pub(super) rows: Vec<Entity>,
    pub(super) paging: BTreeMap<String, String>,
}

impl Doc {
    /// Rows are what stands at depth 3 of a query's answer, leaves what has text at depth 4.
    pub(super) fn read(xml: &str) -> Doc {
        let mut reader = quick_xml::Reader::from_str(xml.trim_start_matches('\u{FEFF}'));
        reader.config_mut().expand_empty_elements = true;
        let (mut doc, mut path, mut text) = (Doc::default(), Vec::<String>::new(), String::new());
        loop {
            match reader.read_event().unwrap() {
                Event::Start(start) => {
                    path.push(start.name().as_ref().to_owned());
                    text.clear();
                    let attributes: BTreeMap<String, String> = start
                        .attributes()
                        .map(|attribute| {
                            let attribute = attribute.unwrap();
                            let value = quick_xml::escape::unescape(&attribute.value).unwrap().into_owned();
                            (attribute.key.as_ref().to_owned(), value)
                        })
                        .collect();
                    match (path.len(), path[path.len() - 1].as_str()) {
                        (2, "PagingInfo") => doc.paging = attributes,
                        (4, tag) if path[1] == "Entities" => {
                            doc.rows.push(Entity { tag: tag.to_owned(), attributes, ..Entity::default() });
                        }
                        (6, "Link") => doc.rows.last_mut().unwrap().links.push(attributes),
                        _ => {}
                    }
                }
                Event::End(_) => {
                    let name = path.pop().unwrap();
                    if path.len() == 4 && path[1] == "Entities" {
                        doc.rows.last_mut().unwrap().leaves.insert(name, std::mem::take(&mut text));
                    }
                }
                Event::Text(part) => text.push_str(&part),
                Event::CData(part) => text.push_str(&part),
                Event::GeneralRef(part) => match part.resolve_char_ref() {
                    Ok(Some(c)) => text.push(if c < ' ' && !"\t\r\n".contains(c) { '\u{FFFD}' } else { c }),
                    Ok(None) => text.push_str(resolve_predefined_entity(&part).unwrap()),
                    Err(_) => text.push('\u{FFFD}'),
                },
                Event::Eof => return doc,
                _ => {}
            }
        }
    }

    pub(super) fn uids(&self) -> Vec<String> {
        self.rows.iter().map(Entity::uid).collect()
    }

    pub(super) fn pages(&self) -> usize {
        self.paging["PagesCount"].parse().unwrap()
    }
}

impl Entity {
    pub(super) fn uid(&self) -> String {
        self.attributes["UID"].rsplit(':').next().unwrap().to_owned()
    }

    pub(super) fn leaf(&self, name: &str) -> Option<String> {
        self.leaves.get(name).filter(|text| !text.is_empty()).cloned()
    }
}
