//! Who looks up the names that a scheme other than `dns` comes upon: whatever its registry has for `dns`.
//! Handed down with the options, so that a scheme needs to know neither its registry nor whether the feature
//! `dns` is there.

use std::fmt;
use std::sync::Arc;

use crate::guarded::Guarded;
use crate::{HostPort, Resolver, ResolverBuilder, ResolverOptions, Target, TargetError};

/// The scheme that names belong to.
pub(crate) const DNS: &str = "dns";

/// What looks names up.
#[derive(Clone, Default)]
pub(crate) struct Names {
    dns: Option<Arc<dyn ResolverBuilder>>,
}

impl Names {
    /// By `dns`, if a registry has it.
    pub(crate) fn by(dns: Option<&Arc<dyn ResolverBuilder>>) -> Self {
        Self { dns: dns.cloned() }
    }

    /// Watches the servers of `host`, which `target` names, just as the target `dns:///host` would be
    /// watched.
    ///
    /// # Errors
    /// If nothing looks names up, or what does refuses this one.
    pub(crate) fn watch(
        &self,
        host: &HostPort,
        target: &Target,
        options: &ResolverOptions,
    ) -> Result<Box<dyn Resolver>, TargetError> {
        let Some(dns) = &self.dns else {
            let reason = format!(
                "`{host}` is a name, and no resolver is registered for `{DNS}`, which would look it up; enable the \
                 feature `{DNS}`, or write literal addresses"
            );
            return Err(TargetError::rejected(target, reason));
        };
        let watched = Target::parse(&format!("{DNS}:///{host}"), &[DNS])
            // Guarded each by itself: one that panics takes the answers of no other with it.
            .and_then(|name| Guarded::build(Arc::clone(dns), name, options.clone()));
        match watched {
            Ok(resolver) => Ok(Box::new(resolver)),
            Err(error) => Err(TargetError::rejected(target, error.to_string())),
        }
    }
}

impl fmt::Debug for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Names").field(DNS, &self.dns.is_some()).finish()
    }
}
