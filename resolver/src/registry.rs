//! The schemes that a channel knows: a value that the channel's builder owns. There is no global one.

use std::fmt;
use std::sync::Arc;

use indexmap::IndexMap;

use crate::guarded::{self, Guarded};
use crate::names::{DNS, Names};
use crate::{Resolver, ResolverBuilder, ResolverOptions, Target, TargetError, schemes};

/// Resolver builders by scheme. The default has the built-in ones: `dns` (with feature `dns`), `ipv4`,
/// `ipv6`, `static`, `unix`, `unix-abstract` and `passthrough`.
///
/// Whatever is registered for `dns` also resolves URLs, bare names, and the names in `static` lists.
///
/// ```
/// use trunkline_resolver::ResolverRegistry;
/// let registry = ResolverRegistry::default();
/// assert_eq!(registry.authority(&registry.parse("unix:///run/greeter")?)?, "localhost");
/// # Ok::<(), trunkline_resolver::TargetError>(())
/// ```
#[derive(Clone)]
pub struct ResolverRegistry {
    // By the scheme in lower case.
    builders: IndexMap<String, Arc<dyn ResolverBuilder>>,
}

impl ResolverRegistry {
    /// No schemes at all.
    pub fn empty() -> Self {
        Self { builders: IndexMap::new() }
    }

    /// These schemes and that of `builder`, in place of an older builder of the same scheme.
    ///
    /// `http` and `https` cannot be replaced: URLs are resolved by the builder of `dns`, which can.
    #[must_use]
    pub fn with(mut self, builder: impl ResolverBuilder) -> Self {
        self.builders.insert(builder.scheme().to_ascii_lowercase(), Arc::new(builder));
        self
    }

    /// The schemes, in the order in which they were added.
    pub fn schemes(&self) -> impl Iterator<Item = &str> {
        self.builders.keys().map(String::as_str)
    }

    /// Reads a target of one of these schemes. Whether the endpoint makes sense to the scheme is found by
    /// [`build`](Self::build).
    ///
    /// # Errors
    /// If the text is not a target, or its scheme is not here.
    pub fn parse(&self, text: &str) -> Result<Target, TargetError> {
        let schemes: Vec<_> = self.schemes().collect();
        Target::parse(text, &schemes)
    }

    /// Starts to watch `target`.
    ///
    /// What it returns is guarded: if the resolver panics, that is an error of this channel that names the
    /// target, and a new resolver takes its place after a backoff.
    ///
    /// # Errors
    /// If the target makes no sense to its scheme, or the scheme is not here.
    pub fn build(
        &self,
        target: &Target,
        options: &ResolverOptions,
    ) -> Result<Box<dyn Resolver>, TargetError> {
        let builder = Arc::clone(self.builder(target)?);
        Ok(Box::new(Guarded::build(builder, target.clone(), self.complete(options))?))
    }

    /// Watches `target`, of which [`build`](Self::build) has made sense before, once more.
    ///
    /// The resolver is built when it is first polled. That its builder fails now says nothing of the target:
    /// it is an error of the resolver, and the builder is asked again after a backoff.
    ///
    /// # Errors
    /// If the scheme is not here.
    pub fn watch(
        &self,
        target: &Target,
        options: &ResolverOptions,
    ) -> Result<Box<dyn Resolver>, TargetError> {
        let builder = Arc::clone(self.builder(target)?);
        Ok(Box::new(Guarded::to_be_built(builder, target.clone(), self.complete(options))))
    }

    /// The `:authority` of calls on `target`, unless the application sets one. It is not empty, and for the
    /// built-in schemes it is `host[:port]` or, for lists, the first of them.
    ///
    /// # Errors
    /// If the scheme is not here, or its builder panics.
    pub fn authority(&self, target: &Target) -> Result<String, TargetError> {
        guarded::authority(&**self.builder(target)?, target)
    }

    /// Those options, with the resolver of names that is registered here.
    fn complete(&self, options: &ResolverOptions) -> ResolverOptions {
        ResolverOptions { names: Names::by(self.builders.get(DNS)), ..options.clone() }
    }

    fn builder(&self, target: &Target) -> Result<&Arc<dyn ResolverBuilder>, TargetError> {
        self.builders.get(target.scheme()).ok_or_else(|| {
            let registered = self.schemes().collect::<Vec<_>>().join(", ");
            TargetError::unknown_scheme(&target.to_string(), target.scheme(), registered)
        })
    }
}

impl Default for ResolverRegistry {
    fn default() -> Self {
        schemes::built_in(Self::empty())
    }
}

impl fmt::Debug for ResolverRegistry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ResolverRegistry").field(&self.builders.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Resolution, fixed};

    struct Named(&'static str);

    impl ResolverBuilder for Named {
        fn scheme(&self) -> &str {
            self.0
        }

        fn build(&self, _: &Target, _: &ResolverOptions) -> Result<Box<dyn Resolver>, TargetError> {
            Ok(fixed(Resolution::default()))
        }
    }

    #[test]
    fn a_scheme_of_ones_own_is_one_call_and_case_does_not_matter() {
        let registry = ResolverRegistry::empty().with(Named("Consul"));
        let target = registry.parse("CONSUL:///web/prod service").unwrap_err();
        assert!(target.to_string().contains("white space"), "{target}");
        let target = registry.parse("CONSUL:///web/prod").unwrap();
        assert_eq!((target.scheme(), target.endpoint()), ("consul", "web/prod"));
        assert_eq!(registry.authority(&target).unwrap(), "web%2Fprod");
        assert!(registry.build(&target, &ResolverOptions::new()).is_ok());
    }

    #[test]
    fn a_target_of_another_registry_is_an_error_and_not_a_panic() {
        let target = ResolverRegistry::empty().with(Named("consul")).parse("consul:web").unwrap();
        let error = ResolverRegistry::empty().with(Named("etcd")).build(&target, &ResolverOptions::new());
        assert!(matches!(error, Err(TargetError::UnknownScheme { .. })));
        let target =
            ResolverRegistry::empty().with(Named("consul")).parse(&format!("consul:{}", "a".repeat(9999)));
        let error = ResolverRegistry::empty().authority(&target.unwrap()).unwrap_err();
        assert!(error.to_string().len() < 1000, "{error}");
    }
}
