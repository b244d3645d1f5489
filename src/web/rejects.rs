//! Records that could not be stored, and their raw texts.

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use maud::html;

use super::page::{Failure, Page};
use super::tables::{self, moment};
use super::{Web, in_time};
use crate::report::form::{clean, value};

/// More records than this are not listed.
const MOST: u32 = 500;

pub(super) async fn list(State(web): State<Web>) -> Result<Page, Failure> {
    let site = web.site().ok_or(Failure::Starting)?;
    let (rows, all) = in_time(async { Ok(site.looks.look().await?.rejects(MOST).await?) }).await?;
    let head = ["Record", "Reason", "Type", "Last seen (UTC)", "Times", "Enterprise Manager", "UID"];
    let main = html! {
        div.head {
            h1 { "Rejected records" }
            p.lead {
                "Records that Enterprise Manager sent and that could not be stored as rows. Their texts are kept; after an update, "
                code { "vemsync rejects replay" } " reads all of them again."
            }
        }
        section {
            h2 { (tables::count(all)) " " @if all == 1 { "record" } @else { "records" } }
            @if rows.is_empty() {
                p.empty { "Every record that was sent could be stored." }
            } @else {
                @if all > i64::from(MOST) { p.note { "The " (MOST) " that were seen last are shown; " code { "vemsync rejects list" } " has all of them." } }
                (tables::frame("Rejected records", &head, &[4], html! {
                    @for row in &rows {
                        tr {
                            th.short scope="row" { a href=(format!("/rejects/{}", row.id)) { "Record " (row.id) } }
                            td.message { (clean(&row.reason)) }
                            td.short { (clean(&row.kind)) }
                            td.short { (tables::maybe_moment(Some(row.last_seen_at))) }
                            td.number { (tables::count(row.times)) }
                            td.text { (clean(&row.manager)) }
                            td.text { (clean(row.uid.as_deref().unwrap_or(value::NOTHING))) }
                        }
                    }
                }))
            }
        }
    };
    Ok(Page { place: "/rejects", ..Page::new("Rejected records", main) })
}

pub(super) async fn one(State(web): State<Web>, id: Result<Path<String>, PathRejection>) -> Result<Page, Failure> {
    let unknown = || Failure::NotFound("There is no such rejected record.".to_owned());
    let number: i64 =
        id?.parse().map_err(|_| Failure::Wrong("Rejected records have numbers, such as 17.".to_owned()))?;
    let site = web.site().ok_or(Failure::Starting)?;
    let row = in_time(async { Ok(site.looks.look().await?.reject(number).await?) }).await?.ok_or_else(unknown)?;
    let main = html! {
        div.head {
            h1 { "Rejected record " (row.id) }
            p.lead { (clean(&row.reason)) }
            dl.facts {
                div { dt { "Enterprise Manager" } dd { (clean(&row.manager)) } }
                div { dt { "Type" } dd { (clean(&row.kind)) } }
                div { dt { "UID as sent" } dd { (clean(row.uid.as_deref().unwrap_or(value::NOTHING))) } }
                div { dt { "First seen" } dd { (moment(row.first_seen_at)) } }
                div { dt { "Last seen" } dd { (moment(row.last_seen_at)) } }
                div { dt { "Times seen" } dd { (tables::count(row.times)) } }
            }
        }
        section { h2 { "Its text" } pre.raw tabindex="0" { (clean(&row.raw)) } }
    };
    Ok(Page { place: "/rejects", ..Page::new(format!("Rejected record {}", row.id), main) })
}
