//! Who holds a claim, and whether it is still alive.

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// How often a claim is to be refreshed.
pub(crate) const BEAT: Duration = Duration::from_secs(10);

/// How long a claim that no lock vouches for is respected without being refreshed.
const LEASE: Duration = Duration::from_secs(60);

/// The process that works on a run, as its claim tells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The name of its machine.
    pub host: String,
    /// What tells machines of one name apart, where the system offers that.
    pub machine: String,
    /// Its process id there.
    pub pid: u32,
    /// When the claim was made, in seconds since 1970.
    pub started: u64,
    /// Whether it also holds a lock on the claim.
    pub locked: bool,
}

impl Holder {
    /// This process.
    pub(super) fn me(locked: bool) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        Self {
            host: host().to_owned(),
            machine: machine().to_owned(),
            pid: std::process::id(),
            started: now.map_or(0, |now| now.as_secs()),
            locked,
        }
    }

    /// Whether its death would have freed the lock that this process sees.
    pub(super) fn locks_like_me(&self) -> bool {
        // Containers of one machine have different names and share its locks.
        let same_host = !self.machine.is_empty() || self.host == host();
        self.locked && self.machine == machine() && same_host
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "process {} on {}", self.pid, self.host)
    }
}

/// The name of this machine.
pub(super) fn host() -> &'static str {
    static HOST: OnceLock<String> = OnceLock::new();
    HOST.get_or_init(|| gethostname::gethostname().to_string_lossy().into_owned())
}

/// On Linux the identity of the running kernel: locks work between all who share it, and two
/// containers of the same name on different machines do not.
fn machine() -> &'static str {
    static MACHINE: OnceLock<String> = OnceLock::new();
    MACHINE.get_or_init(|| {
        let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id");
        id.map(|id| id.trim().to_owned()).unwrap_or_default()
    })
}

/// What was last seen of claims that no lock vouches for.
///
/// Compared are only two looks at the same claim by one clock, so clocks that differ between
/// machines do no harm.
#[derive(Debug)]
pub(super) struct Leases {
    lease: Duration,
    seen: Mutex<HashMap<PathBuf, Sight>>,
}

#[derive(Debug, PartialEq)]
struct Sight {
    content: Vec<u8>,
    modified: Option<SystemTime>,
    since: Instant,
}

impl Default for Leases {
    fn default() -> Self {
        Self::new(LEASE)
    }
}

impl Leases {
    pub fn new(lease: Duration) -> Self {
        Self {
            lease,
            seen: Mutex::default(),
        }
    }

    /// Whether the claim has stayed unchanged for the whole lease.
    pub fn expired(&self, path: &Path, content: &[u8], modified: Option<SystemTime>) -> bool {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        match seen.get(path) {
            Some(sight) if sight.content == content && sight.modified == modified => {
                sight.since.elapsed() >= self.lease
            }
            _ => {
                let sight = Sight {
                    content: content.to_owned(),
                    modified,
                    since: Instant::now(),
                };
                seen.insert(path.to_owned(), sight);
                self.lease.is_zero()
            }
        }
    }
}
