//! Why Enterprise Manager could not be read, named for what an operator can do about it.

use crate::decode;

/// A request that came to nothing, after all tries that make sense.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The account may not log on. Never tried again by itself: accounts lock.
    #[error(
        "Enterprise Manager refused the account {username:?} ({status}{message}): check the user name and the password file, and that the account has a portal role and is not locked"
    )]
    Refused {
        /// The account.
        username: String,
        /// The HTTP status.
        status: u16,
        /// What the server says, in brackets' form.
        message: String,
    },
    /// The certificate is not trusted.
    #[error(
        "the certificate of {host} is not trusted ({reason}); its SHA-256 fingerprint is {fingerprint}. Trust it with one of: --ca-file FILE (the authority that signed it), --certificate-sha256 {fingerprint} (once you have compared it on the server), or the system's certificate store"
    )]
    Untrusted {
        /// Whose.
        host: String,
        /// The certificate that was seen.
        fingerprint: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The certificate is another than the configured one.
    #[error(
        "{host} shows another certificate than the configured one; the SHA-256 fingerprint of this one is {fingerprint}. If it was renewed, compare the fingerprint on the server and set certificate_sha256 to it; if not, someone else is answering"
    )]
    NotPinned {
        /// Whose.
        host: String,
        /// The certificate that was seen.
        fingerprint: String,
    },
    /// Something else answers at this address.
    #[error("{url} is no Enterprise Manager: it sent {what}")]
    NotEnterpriseManager {
        /// The address.
        url: String,
        /// What answered.
        what: String,
    },
    /// The server understood the request and will not have it.
    #[error("Enterprise Manager refused the request with {status}{message}: {request}")]
    BadRequest {
        /// The HTTP status.
        status: u16,
        /// What the server says.
        message: String,
        /// What was asked.
        request: String,
    },
    /// No logon lasts long enough for one answer.
    #[error("Enterprise Manager ended the logon {0} times in a row without one good answer in between")]
    Expired(u32),
    /// No answer, or none that can be used, in all tries.
    #[error("no usable answer in {tries} tries, the last time: {last}: {request}")]
    Exhausted {
        /// How often it was tried.
        tries: u32,
        /// What went wrong the last time.
        last: Failure,
        /// What was asked.
        request: String,
    },
    /// The TLS settings cannot be used.
    #[error("{0}")]
    Tls(String),
}

/// What went wrong in one try, and may go better in the next.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// No connection, so that nothing was sent.
    #[error("{0}")]
    Connect(String),
    /// The connection broke, or no answer came in time.
    #[error("{0}")]
    Transport(String),
    /// The connection ended over a certificate that is not trusted.
    #[error("{reason}")]
    Certificate {
        /// What is wrong with it.
        reason: String,
        /// The certificate that was seen.
        fingerprint: String,
    },
    /// A success, but not of the API.
    #[error("{0} came instead")]
    Foreign(String),
    /// Overload, maintenance, or a fault of the server.
    #[error("HTTP {status}{message}")]
    Status {
        /// The HTTP status.
        status: u16,
        /// What the server says.
        message: String,
    },
    /// The body is too large.
    #[error("the answer is larger than {0} bytes")]
    TooLarge(usize),
    /// The body trickles in.
    #[error("the answer came at less than {0} bytes a second")]
    TooSlow(u32),
    /// The body is not what was asked for.
    #[error("{0}")]
    Rejected(#[from] Rejection),
}

/// Why a whole answer is not used. Nothing of it is stored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// It cannot be decoded.
    #[error("{0}")]
    Decode(#[from] decode::Error),
    /// Another page than the one that was asked for.
    #[error("page {page} of size {size} came for page {asked} of size {asked_size}")]
    Page {
        /// The page that came.
        page: u32,
        /// Its size.
        size: u32,
        /// The page that was asked for.
        asked: u32,
        /// The size that was asked for.
        asked_size: u32,
    },
    /// More rows than the page's size, or rows on no page.
    #[error("{records} rows came on a page of {size} (of {pages} pages)")]
    Count {
        /// Rows that came.
        records: usize,
        /// The page's size.
        size: u32,
        /// The pages.
        pages: u32,
    },
    /// A row that the filter excludes.
    #[error("a row outside what was asked for came ({0})")]
    Outside(String),
    /// No list where rows were just seen.
    #[error("the list of rows is missing though there were rows")]
    NoContainer,
}
