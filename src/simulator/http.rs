//! The HTTP face: paths, status codes, headers, and the faults that lie in wait on the way out.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::Response;
use futures_util::stream;
use uuid::Uuid;

use super::action::Verb;
use super::faults::Fault;
use super::journal::InFlight;
use super::query::{Selection, select};
use super::render::{self, Answer, Xml};
use super::types::QueryType;
use super::wire::Scissors;
use super::world::{Broken, World};
use super::{Shared, logon};

/// A request, taken apart.
struct Call {
    method: Method,
    /// Below `/api/`, without slashes at the ends.
    path: String,
    parameters: Vec<(String, String)>,
    headers: HeaderMap,
    body: String,
}

impl Call {
    fn get(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    fn is_logon(&self) -> bool {
        self.path.eq_ignore_ascii_case("sessionMngr") || self.path.starts_with("logonSessions")
    }
}

/// An answer before anything is done to it.
struct Reply {
    status: u16,
    body: Vec<u8>,
    headers: Vec<(header::HeaderName, String)>,
}

impl Reply {
    fn ok(body: Vec<u8>) -> Reply {
        Reply { status: 200, body, headers: Vec::new() }
    }

    fn error(status: u16, message: &str) -> Reply {
        Reply { status, body: render::error(status, message), headers: Vec::new() }
    }

    fn with(mut self, name: header::HeaderName, value: impl Into<String>) -> Reply {
        self.headers.push((name, value.into()));
        self
    }
}

/// Answers what comes over a network.
pub(super) async fn handle(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(scissors): ConnectInfo<Scissors>,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    // A start's body is a few lines.
    let body = to_bytes(body, 64 * 1024).await.unwrap_or_default();
    respond(&shared, &scissors, parts, &body).await
}

/// Answers any request.
pub(super) async fn respond(shared: &Arc<Shared>, scissors: &Scissors, parts: Parts, body: &[u8]) -> Response {
    let query = parts.uri.query().unwrap_or_default();
    let call = Call {
        path: parts.uri.path().strip_prefix("/api").unwrap_or("?").trim_matches('/').to_owned(),
        parameters: url::form_urlencoded::parse(query.as_bytes()).into_owned().collect(),
        method: parts.method,
        headers: parts.headers,
        body: String::from_utf8_lossy(body).into_owned(),
    };
    let in_flight = shared.journal.begin(call.method.as_str(), parts.uri.path(), &call.parameters, body);
    let mut fault = shared.dice().roll(&in_flight.line(), call.is_logon());
    let mut done = None;
    if let Some(Fault::Done(then)) = fault {
        done = Some(answer(shared, &call, None));
        fault = Some(*then);
    }
    if let Some(Fault::Hang(time) | Fault::SlowBody(time)) = &fault {
        tokio::select! {
            () = tokio::time::sleep(*time) => {}
            () = shared.stop.cancelled() => {}
        }
    }
    let reply = spoiled(shared, &call, fault.as_ref(), scissors)
        .or(done)
        .unwrap_or_else(|| answer(shared, &call, fault.as_ref()));
    finish(shared, reply, fault.as_ref(), scissors, in_flight)
}

/// The answer of a fault that keeps the request from being looked at.
fn spoiled(shared: &Shared, call: &Call, fault: Option<&Fault>, scissors: &Scissors) -> Option<Reply> {
    let wait = |reply: Reply, secs: &Option<u32>| match secs {
        Some(secs) => reply.with(header::RETRY_AFTER, secs.to_string()),
        None => reply,
    };
    Some(match fault? {
        Fault::Unavailable(secs) => wait(Reply::error(503, "Service Unavailable"), secs),
        Fault::TooManyRequests(secs) => wait(Reply::error(429, "Too many requests"), secs),
        Fault::ServerError => Reply::error(500, "Object reference not set to an instance of an object."),
        Fault::NotImplemented => Reply::error(501, "Not Implemented"),
        Fault::Forbidden => Reply::error(403, "Forbidden"),
        Fault::NotFound => Reply::error(404, "Not Found"),
        Fault::SessionLost if !call.is_logon() => {
            shared.logons().end_all();
            Reply::error(401, "Unauthorized")
        }
        Fault::Reset => {
            scissors.cut();
            Reply::ok(Vec::new())
        }
        Fault::EmptyBody => Reply::ok(Vec::new()),
        Fault::LoginPage => Reply::ok(
            b"<!DOCTYPE html><html><head><title>Sign in</title></head><body><form><br>Please sign in & wait".to_vec(),
        )
        .with(header::CONTENT_TYPE, "text/html; charset=utf-8"),
        Fault::Redirect(to) => Reply { status: 302, body: Vec::new(), headers: vec![(header::LOCATION, to.clone())] },
        _ => return None,
    })
}

fn answer(shared: &Shared, call: &Call, fault: Option<&Fault>) -> Reply {
    let path = call.path.as_str();
    let get = call.method == Method::GET;
    if path.is_empty() {
        return if get { Reply::ok(render::root()) } else { Reply::error(405, "Method Not Allowed") };
    }
    if path.eq_ignore_ascii_case("sessionMngr") {
        return if call.method == Method::POST {
            log_on(shared, call)
        } else {
            Reply::error(405, "Method Not Allowed")
        };
    }
    if !shared.logons().admits(&call.headers) {
        return Reply::error(401, "Unauthorized");
    }
    if let Some(id) = path.strip_prefix("logonSessions") {
        return logons(shared, call, id.trim_matches('/'));
    }
    if path.eq_ignore_ascii_case("query") {
        return if get { query(shared, call, fault) } else { Reply::error(405, "Method Not Allowed") };
    }
    if path.eq_ignore_ascii_case("systemSessions") && get {
        return Reply::ok(shared.world().system_sessions(shared.now()));
    }
    if let Some(id) = path.strip_prefix("tasks/") {
        return task(shared, call, id);
    }
    if let (Some(plan), Some(verb)) = (path.strip_prefix("cloud/cloudFailoverPlans/"), call.get("action")) {
        return act(shared, call, plan, verb, fault);
    }
    let reply = entity(shared, call);
    if reply.status == 200 && !get { Reply::error(405, "Method Not Allowed") } else { reply }
}

fn log_on(shared: &Shared, call: &Call) -> Reply {
    if !call.headers.contains_key(header::CONTENT_LENGTH) && !call.headers.contains_key(header::TRANSFER_ENCODING) {
        return Reply::error(411, "Length Required");
    }
    let version = call.get("v").unwrap_or("latest");
    if !["latest", "v1_5", "v1_6", "v1_7"].iter().any(|known| known.eq_ignore_ascii_case(version)) {
        return Reply::error(401, "Version is not supported");
    }
    let options = &shared.options;
    if logon::credentials(&call.headers) != Some((options.username.clone(), options.password.clone())) {
        return Reply::error(401, "Unauthorized").with(header::WWW_AUTHENTICATE, "Basic Realm=RestSvc");
    }
    let (token, id) = shared.logons().begin(&options.username);
    let cookie = format!("X-RestSvcSessionId={token}; Path=/api; HttpOnly");
    Reply { status: 201, body: render::logon_session(id, &options.username), headers: Vec::new() }
        .with(header::HeaderName::from_static(logon::TOKEN), token)
        .with(header::SET_COOKIE, cookie)
}

fn logons(shared: &Shared, call: &Call, id: &str) -> Reply {
    let mut live = shared.logons();
    match (call.method.as_str(), id) {
        ("GET", "") => Reply::ok(render::logon_list(&live.list())),
        ("GET", id) => match live.list().into_iter().find(|(known, _)| known.to_string() == id) {
            Some((id, user)) => Reply::ok(render::logon_session(id, &user)),
            None => Reply::error(404, "Not Found"),
        },
        ("DELETE", id) if Uuid::parse_str(id).is_ok_and(|id| live.end(id)) => {
            Reply { status: 204, body: Vec::new(), headers: Vec::new() }
        }
        ("DELETE", id) if !id.is_empty() => Reply::error(404, "Not Found"),
        _ => Reply::error(405, "Method Not Allowed"),
    }
}

/// An action on a cloud failover plan.
fn act(shared: &Shared, call: &Call, plan: &str, verb: &str, fault: Option<&Fault>) -> Reply {
    if call.method != Method::POST {
        return Reply::error(405, "Method Not Allowed");
    }
    let Some(verb) = Verb::named(verb) else { return Reply::error(400, "The action is not supported") };
    if verb == Verb::Start {
        let choices = ["<StartNow>", "<StartDate>"].iter().filter(|name| call.body.contains(**name)).count();
        if !call.body.contains("<CloudFailoverPlanManagementSpec ") || choices != 1 {
            return Reply::error(400, "The request body is invalid");
        }
    }
    let (Some(token), Ok(uid)) = (logon::token(&call.headers), Uuid::parse_str(plan)) else {
        return Reply::error(404, "Not Found");
    };
    let now = shared.now();
    let mut world = shared.world_mut();
    let moment = world.at(now);
    let known = |plan: &super::world::Plan| plan.uid == uid && moment.knows_server(plan.server);
    let Some(plan) = world.plans.iter().position(known) else { return Reply::error(404, "Not Found") };
    let twice = fault == Some(&Fault::Twice);
    match super::lock(&shared.actions).take(&mut world, plan, verb, &token, now, twice) {
        Ok(task) => Reply { status: 202, body: render::task(&task, now), headers: Vec::new() },
        Err(message) => Reply::error(400, message),
    }
}

fn task(shared: &Shared, call: &Call, id: &str) -> Reply {
    let token = logon::token(&call.headers).unwrap_or_default();
    let mut actions = super::lock(&shared.actions);
    match call.method.as_str() {
        "GET" => match actions.find(id, &token) {
            Some(task) => Reply::ok(render::task(task, shared.now())),
            None => Reply::error(404, "Not Found"),
        },
        "DELETE" if actions.delete(id, &token) => Reply { status: 204, body: Vec::new(), headers: Vec::new() },
        "DELETE" => Reply::error(404, "Not Found"),
        _ => Reply::error(405, "Method Not Allowed"),
    }
}

fn query(shared: &Shared, call: &Call, fault: Option<&Fault>) -> Reply {
    let name = call.get("type").unwrap_or_default();
    let refused = shared.unknown_types().iter().any(|kind| kind.eq_ignore_ascii_case(name));
    let Some(of) = QueryType::named(name).filter(|_| !refused) else {
        return Reply::error(400, &format!("Type [{name}] is not supported"));
    };
    let options = &shared.options;
    match Selection::read(of, &call.parameters, options.default_page_size, shared.max_page_size()) {
        Ok(selection) => Reply::ok(page(shared, &selection, &call.parameters, fault)),
        Err(message) => Reply::error(400, &message),
    }
}

/// One page of an answer as a document.
fn page(shared: &Shared, selection: &Selection, echo: &[(String, String)], fault: Option<&Fault>) -> Vec<u8> {
    let options = &shared.options;
    let world = shared.world();
    let moment = world.at(shared.now());
    let die = shared.next_die();
    let mut rng = options.shuffle_ties.then(|| fastrand::Rng::with_seed(options.seed ^ die as u64));
    let mut found = select(&world, &moment, selection, rng.as_mut());
    if matches!(fault, Some(Fault::EmptyList | Fault::NoEntities)) {
        found.rows.clear();
        found.total = 0;
    }
    let answer = Answer {
        selection,
        echo,
        pages: selection.pages(found.total),
        page: selection.page + usize::from(fault == Some(&Fault::WrongPage)),
        paging: fault != Some(&Fault::NoPagingInfo),
        container: fault != Some(&Fault::NoEntities) && !(options.empty_without_entities && found.rows.is_empty()),
        bom: options.bom,
        doctype: fault == Some(&Fault::Doctype),
        die,
    };
    render::answer(&answer, found.rows.len() * 1500, &mut |xml| {
        for id in &found.rows {
            row(xml, &world, &moment, selection, *id);
        }
        if let Some(Fault::BadRecord(broken)) = fault {
            bad_record(xml, &world, &moment, selection, *broken);
        }
        found.rows.len() + usize::from(matches!(fault, Some(Fault::BadRecord(_))))
    })
}

fn row(xml: &mut Xml, world: &World, moment: &super::world::Moment, selection: &Selection, id: u32) {
    match selection.of {
        QueryType::Session(kind) => {
            let table = world.table(kind);
            let Some(row) = table.row(id) else { return };
            let Some(collected) = moment.shows(row) else { return };
            let view = row.view(collected);
            if !selection.entities {
                render::session_reference(xml, world, row);
            } else if let Some(ready) = table.rendered(id).filter(|_| view.end.is_some()) {
                xml.push_rendered(ready);
            } else {
                xml.set_pretty(row.die().is_multiple_of(2));
                render::session(xml, world, row, view, selection.of.row_tag(), false);
            }
        }
        QueryType::Parent(kind) => render::parent(xml, world, kind, id as usize, selection.entities, false),
    }
}

/// A copy of some row under another UID, spoiled.
fn bad_record(xml: &mut Xml, world: &World, moment: &super::world::Moment, selection: &Selection, broken: Broken) {
    let QueryType::Session(kind) = selection.of else { return };
    let Some((row, collected)) = world.sessions(kind).find_map(|row| Some((row, moment.shows(row)?))) else { return };
    let mut bad = row.clone();
    bad.uid = Uuid::from_u128(!row.uid.as_u128());
    bad.more.get_or_insert_default().broken = Some(broken);
    render::session(xml, world, &bad, bad.view(collected), selection.of.row_tag(), false);
}

/// `<collection>` or `<collection>/<guid>`.
fn entity(shared: &Shared, call: &Call) -> Reply {
    let world = shared.world();
    let moment = world.at(shared.now());
    if let Some(of) = QueryType::at_path(&call.path) {
        // Plain collections are paged only on request, and always whole in their references.
        let selection = Selection::read(of, &call.parameters, usize::MAX, None);
        drop(world);
        return match selection {
            Ok(selection) => Reply::ok(page(shared, &selection, &call.parameters, None)),
            Err(message) => Reply::error(400, &message),
        };
    }
    let found = call.path.rsplit_once('/').and_then(|(path, id)| {
        let (of, uid) = (QueryType::at_path(path)?, Uuid::parse_str(id).ok()?);
        let entity = call.get("format").is_some_and(|format| format.eq_ignore_ascii_case("entity"));
        let mut xml = Xml::compact(4096);
        match of {
            QueryType::Session(kind) => {
                let row = world.table(kind).get(uid)?;
                let view = row.view(moment.shows(row)?);
                if entity {
                    render::session(&mut xml, &world, row, view, kind.name(), true);
                } else {
                    render::session_reference(&mut xml, &world, row);
                }
            }
            QueryType::Parent(kind) => {
                let at = world.parents(&moment, kind).into_iter().find(|at| world.parent_uid(kind, *at) == uid)?;
                render::parent(&mut xml, &world, kind, at, entity, true);
            }
        }
        Some(xml.into_bytes())
    });
    found.map_or_else(|| Reply::error(404, "Not Found"), Reply::ok)
}

/// Makes a response of the reply, and does to its body what the fault wants.
fn finish(
    shared: &Shared,
    mut reply: Reply,
    fault: Option<&Fault>,
    scissors: &Scissors,
    in_flight: InFlight,
) -> Response {
    if fault == Some(&Fault::TruncatedXml) {
        reply.body.truncate(reply.body.len() / 2);
    }
    let length = reply.body.len();
    in_flight.end(reply.status, length);
    let status = StatusCode::from_u16(reply.status).expect("a status of ours");
    let mut response = Response::new(match fault {
        Some(Fault::TruncatedBody) => cut_half_way(reply.body, scissors.clone()),
        Some(Fault::SlowBody(time)) => in_pieces(reply.body, *time),
        _ => Body::from(reply.body),
    });
    *response.status_mut() = status;
    let headers = response.headers_mut();
    if length > 0 {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/xml; charset=utf-8"));
    }
    if status != StatusCode::NO_CONTENT {
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    }
    let date = shared.now().utc().format("%a, %d %b %Y %H:%M:%S GMT").to_string();
    headers.insert(header::DATE, date.parse().expect("a date is plain text"));
    for (name, value) in reply.headers {
        if let Ok(value) = value.parse() {
            headers.insert(name, value);
        }
    }
    response
}

fn cut_half_way(body: Vec<u8>, scissors: Scissors) -> Body {
    let half = body.len() / 2;
    let first = Bytes::from(body).slice(..half);
    Body::from_stream(stream::unfold(Some(first), move |first| {
        let scissors = scissors.clone();
        async move {
            match first {
                Some(first) => Some((Ok(first), None)),
                None => {
                    // What was written needs a moment to leave before the line is cut.
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    scissors.cut();
                    Some((Err(std::io::Error::from(std::io::ErrorKind::ConnectionReset)), None))
                }
            }
        }
    }))
}

fn in_pieces(body: Vec<u8>, pause: Duration) -> Body {
    let piece = (body.len() / 8).max(1);
    Body::from_stream(stream::unfold(Bytes::from(body), move |mut rest| async move {
        if rest.is_empty() {
            return None;
        }
        tokio::time::sleep(pause).await;
        let next = rest.split_to(piece.min(rest.len()));
        Some((Ok::<_, std::io::Error>(next), rest))
    }))
}
