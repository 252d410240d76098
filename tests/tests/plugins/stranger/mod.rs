//! One plugin of each kind. The files use nothing but what any crate can depend on; this one says how long
//! they may be.

pub mod balancer;
pub mod connector;
pub mod resolver;

/// Below this many lines, comments and imports included.
const SHORT: usize = 40;

#[test]
fn a_plugin_of_each_kind_is_short_and_needs_nothing_of_ours_but_the_crate() {
    let files = [include_str!("resolver.rs"), include_str!("balancer.rs"), include_str!("connector.rs")];
    for text in files {
        assert!(text.lines().count() < SHORT, "{} lines:\n{text}", text.lines().count());
        for inside in ["trunkline_", "crate::", "super::"] {
            assert!(!text.contains(inside), "{inside} in\n{text}");
        }
    }
}
