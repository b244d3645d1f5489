//! What is seen while an operation is followed: a line a machine on a terminal, a line a change elsewhere.

use std::io::{IsTerminal as _, Write as _};
use std::sync::Arc;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::clock::Clock;
use crate::escape;
use crate::failover::{Session, Watch, elapsed};
use crate::store::Operation;

/// Tells a person how it goes, on standard error.
pub(super) struct Live {
    clock: Arc<dyn Clock>,
    screen: Option<MultiProgress>,
    lines: Vec<ProgressBar>,
    session: Option<Session>,
}

impl Live {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        let screen = std::io::stderr().is_terminal().then(MultiProgress::new);
        Self { clock, screen, lines: Vec::new(), session: None }
    }

    /// One line that stays.
    pub(super) fn say(&self, operation: &Operation, what: &str) {
        let time = self.clock.now().format("%H:%M:%SZ");
        let line = format!("{time} operation {}: {}", operation.id, escape::control(what));
        // Where a line cannot be written, the record has it all the same.
        match &self.screen {
            Some(screen) => drop(screen.println(line)),
            None => drop(writeln!(std::io::stderr().lock(), "{line}")),
        }
    }

    /// The session as it was last seen.
    pub(super) fn into_session(self) -> Option<Session> {
        if let Some(screen) = &self.screen {
            drop(screen.clear());
        }
        self.session
    }
}

impl Watch for Live {
    fn step(&mut self, operation: &Operation, what: &str) {
        self.say(operation, what);
    }

    fn session(&mut self, session: &Session) {
        self.session = Some(session.clone());
        let Some(screen) = &self.screen else { return };
        let now = self.clock.now();
        while self.lines.len() < session.vms.len() {
            let line = screen.add(ProgressBar::new(100));
            let style = ProgressStyle::with_template("{prefix:30} {bar:20} {msg}");
            line.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            self.lines.push(line);
        }
        for (vm, line) in session.vms.iter().zip(&self.lines) {
            let took = elapsed(vm.creation_time, vm.end_time, now);
            let result = if vm.end_time.is_some() { format!(" {}", vm.result) } else { String::new() };
            line.set_prefix(escape::control(&vm.name).into_owned());
            line.set_message(format!("{}{} {}", escape::control(&vm.state), escape::control(&result), short(took)));
            line.set_position(u64::try_from(vm.progress.unwrap_or_default().clamp(0, 100)).unwrap_or_default());
        }
    }
}

/// Minutes and seconds.
pub(super) fn short(time: chrono::TimeDelta) -> String {
    format!("{}:{:02}", time.num_minutes(), time.num_seconds() % 60)
}
