//! What all pages have in common: their head with the way to each other and the search, and what stands there instead
//! of a page that cannot be shown.

use std::sync::LazyLock;

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use maud::{DOCTYPE, Markup, html};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::escape;
use crate::report::{self, form};
use crate::store;

/// The sheet of the reports, and what pages need besides.
const STYLE: &str = concat!(include_str!("../report/form/style.css"), include_str!("page.css"));

/// Where the sheet is; another sheet is elsewhere, so that it may be kept for ever.
static STYLE_HREF: LazyLock<String> = LazyLock::new(|| {
    let hash: String = Sha256::digest(STYLE).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    format!("/style.css?{hash}")
});

const PLACES: [(&str, &str); 3] =
    [("/", "State"), ("/last-24-hours", "Last 24 hours"), ("/rejects", "Rejected records")];

/// A page.
pub(super) struct Page {
    pub(super) status: StatusCode,
    pub(super) title: String,
    /// The address of the place to which it belongs, if it is one of those in the head.
    pub(super) place: &'static str,
    /// What is searched for.
    pub(super) search: String,
    /// Whether it is loaded anew every minute.
    pub(super) is_refreshed: bool,
    pub(super) main: Markup,
    pub(super) footer: Markup,
}

impl Page {
    pub(super) fn new(title: impl Into<String>, main: Markup) -> Self {
        Self {
            status: StatusCode::OK,
            title: title.into(),
            place: "",
            search: String::new(),
            is_refreshed: false,
            main,
            footer: html! {},
        }
    }

    /// A report as a page; `above` stands between its head and its sections.
    pub(super) fn of_report(report: &report::Report, above: &Markup, href: form::Href<'_>) -> Self {
        let main = html! { div.head { (form::head(report)) } (above) (form::sections(report, href)) };
        Self { footer: form::behind(report), ..Self::new(report.title.clone(), main) }
    }
}

impl IntoResponse for Page {
    fn into_response(self) -> Response {
        let page = html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    meta name="robots" content="noindex";
                    @if self.is_refreshed { meta http-equiv="refresh" content="60"; }
                    title { (form::clean(&shortened(&self.title, 100))) " – vemsync" }
                    link rel="icon" href="data:,";
                    link rel="stylesheet" href=(*STYLE_HREF);
                }
                body {
                    a.skip href="#main" { "Skip to the content" }
                    header.bar {
                        p.brand { "vemsync" }
                        nav aria-label="Pages" {
                            ul {
                                @for (href, name) in PLACES {
                                    li { a href=(href) aria-current=[(href == self.place).then_some("page")] { (name) } }
                                }
                            }
                        }
                        form.search role="search" action="/search" method="get" {
                            label for="q" { "Machine, job or UID" }
                            input #q type="search" name="q" value=(form::clean(&self.search)) maxlength="200" autocomplete="off";
                            button type="submit" { "Search" }
                        }
                    }
                    main #main tabindex="-1" { (self.main) }
                    footer #read-until { (self.footer) }
                }
            }
        };
        (self.status, Html(page.into_string())).into_response()
    }
}

/// The sheet.
pub(super) async fn style() -> Response {
    let kept =
        [(header::CONTENT_TYPE, "text/css; charset=utf-8"), (header::CACHE_CONTROL, "max-age=31536000, immutable")];
    (kept, STYLE).into_response()
}

/// Why a page cannot be shown, in a sentence that its visitor can do something with.
#[derive(Debug)]
pub(super) enum Failure {
    /// There is no such thing.
    NotFound(String),
    /// It was asked for wrongly.
    Wrong(String),
    /// The database cannot be read.
    Away(String),
    /// It takes too long.
    Slow,
    /// The database is being opened.
    Starting,
}

impl From<store::Error> for Failure {
    fn from(error: store::Error) -> Self {
        Self::Away(escape::chain(&error))
    }
}

impl From<report::Error> for Failure {
    fn from(error: report::Error) -> Self {
        match error {
            report::Error::Store(error) => error.into(),
            report::Error::Empty => {
                Self::NotFound("The database holds no session yet: wait for the first pass.".to_owned())
            }
            report::Error::Request(problem) => Self::Wrong(problem.to_string()),
        }
    }
}

impl From<QueryRejection> for Failure {
    fn from(_: QueryRejection) -> Self {
        Self::Wrong("The part of the address after the question mark cannot be read.".to_owned())
    }
}

impl From<PathRejection> for Failure {
    fn from(_: PathRejection) -> Self {
        Self::Wrong("The address cannot be read.".to_owned())
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let (status, title, what) = match self {
            Self::NotFound(what) => (StatusCode::NOT_FOUND, "Not found", what),
            Self::Wrong(what) => (StatusCode::BAD_REQUEST, "This cannot be answered", what),
            Self::Away(what) => {
                let what =
                    format!("The database cannot be read: {what}. The state page shows what is known without it.");
                (StatusCode::SERVICE_UNAVAILABLE, "The database is away", what)
            }
            Self::Slow => {
                let what = "The database took longer than this page may take. Try again; see what else keeps it busy.";
                (StatusCode::GATEWAY_TIMEOUT, "Too slow", what.to_owned())
            }
            Self::Starting => {
                let what = "The database is being opened. Try again in a moment.";
                (StatusCode::SERVICE_UNAVAILABLE, "Starting", what.to_owned())
            }
        };
        let main = html! { h1 { (title) } p.lead { (form::clean(&what)) } p { a href="/" { "How things stand" } } };
        Page { status, ..Page::new(title, main) }.into_response()
    }
}

/// A UID in an address.
pub(super) fn uid(text: &str) -> Result<Uuid, Failure> {
    Uuid::try_parse(text)
        .map_err(|_| Failure::Wrong("This is no UID, such as 8f2c1e4a-5b6d-4c7e-9f80-a1b2c3d4e5f6.".to_owned()))
}

/// The beginning of a long text.
pub(super) fn shortened(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_titles_are_cut_between_characters() {
        assert_eq!(shortened("äöü", 3), "äöü");
        assert_eq!(shortened("äöü", 2), "äö…");
    }
}
