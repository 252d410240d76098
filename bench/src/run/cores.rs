//! Which process runs where: client and server have a core each, so that neither's work shows in the other's
//! figures more than it must.

use crate::machine::affinity;

/// The cores that the bench may use. None are used where they cannot be told apart.
#[derive(Clone, Debug)]
pub(crate) struct Cores {
    all: Vec<usize>,
    /// Of the clients' runtimes. Where there are some, clients run where they like.
    pub(super) workers: Option<usize>,
}

impl Cores {
    pub(crate) fn of_this(workers: Option<usize>) -> Self {
        Self { all: affinity::cores(), workers }
    }

    pub(crate) fn count(&self) -> usize {
        self.all.len()
    }

    /// The last one.
    pub(crate) fn server(&self) -> Option<usize> {
        self.all.last().copied()
    }

    /// The first ones, one per thread. With two cores in all, the second thread shares the server's.
    pub(crate) fn clients(&self, threads: usize) -> Vec<usize> {
        match self.workers {
            Some(_) => Vec::new(),
            None => self.all.iter().copied().take(threads).collect(),
        }
    }

    /// Runs `work` on the first core, and with it all processes that it starts.
    pub(crate) fn on_client<T>(&self, work: impl FnOnce() -> T) -> T {
        affinity::pin(self.clients(1).first().copied());
        let result = work();
        if !self.all.is_empty() {
            affinity::allow(&self.all);
        }
        result
    }
}
