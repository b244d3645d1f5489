//! The names of jobs and machines, for the search and for links. Listing the machines of years takes a third of a
//! second.

use std::sync::Arc;
use std::time::Duration;

use super::kept::Kept;
use super::{Site, in_time};
use crate::store::{Known, Look, Result};

const JOBS_LAST: Duration = Duration::from_secs(20);
const MACHINES_LAST: Duration = Duration::from_secs(60);

/// All names, as they were a little while ago.
pub(super) struct Names {
    jobs: Kept<(), Vec<Known>>,
    machines: Kept<(), Vec<Known>>,
}

impl Default for Names {
    fn default() -> Self {
        Self { jobs: Kept::new(JOBS_LAST), machines: Kept::new(MACHINES_LAST) }
    }
}

impl Names {
    pub(super) async fn jobs(&self, look: &Look) -> Result<Arc<Vec<Known>>> {
        self.jobs.get((), async || look.jobs().await).await
    }

    /// Lists the machines before anybody asks for them; see [`Kept::renew`].
    pub(super) async fn renew_machines(&self, site: &Site, slow: Duration) -> Duration {
        let make = async || in_time(async { Ok(site.looks.look().await?.machines().await?) }).await;
        self.machines.renew((), slow, make).await
    }

    pub(super) async fn machines(&self, look: &Look) -> Result<Arc<Vec<Known>>> {
        self.machines.get((), async || look.machines().await).await
    }
}
