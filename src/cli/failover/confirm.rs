//! The last step before anything is sent: somebody says that it is meant.

use std::io::Write as _;

use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::em::Action;
use crate::failover::{Error, Plan};

/// Whether the fingerprint that was given is the plan's: who gives it has seen the plan as it is.
pub(super) fn fingerprint(given: &str, plan: &Plan) -> Result<(), Error> {
    if given.trim().eq_ignore_ascii_case(&plan.fingerprint()) {
        return Ok(());
    }
    Err(Error::Usage(format!(
        "the fingerprint is not that of the plan {:?} as it is now: it was changed, or another one is meant; look at it \
         with `vemsync failover show {}`",
        plan.name, plan.uid
    )))
}

/// Asks for the plan's name.
pub(super) async fn name(plan: &Plan, action: Action, cancel: &CancellationToken) -> Result<(), Error> {
    {
        let mut err = std::io::stderr().lock();
        // Where this cannot be written, nobody will type anything either.
        drop(write!(err, "Type the plan's name to {} it: ", action.name()).and_then(|()| err.flush()));
    }
    let (typed, line) = oneshot::channel();
    // A thread of its own: nothing waits for one that waits for a person.
    std::thread::spawn(move || {
        let mut text = String::new();
        let read = std::io::stdin().read_line(&mut text);
        drop(typed.send(read.map(|_| text)));
    });
    let text = tokio::select! {
        () = cancel.cancelled() => return Err(Error::Interrupted),
        line = line => line.ok().and_then(Result::ok).unwrap_or_default(),
    };
    if text.trim() == plan.name.trim() && !text.trim().is_empty() {
        return Ok(());
    }
    Err(Error::Usage("that is not the plan's name: nothing was sent".to_owned()))
}
