//! Typed notes that resolvers attach for balancers. They are apart from addresses because they describe a
//! server without changing what a connection to it is: a changed attribute never reconnects.

use std::any::{Any, TypeId};
use std::fmt;
use std::sync::Arc;

/// Anything that can be an attribute: every type that compares, prints and may be shared.
pub trait Attribute: Any + fmt::Debug + Send + Sync {
    /// Whether `other` is the same type and equal.
    fn equals(&self, other: &dyn Attribute) -> bool;
}

impl<T: Any + fmt::Debug + PartialEq + Send + Sync> Attribute for T {
    fn equals(&self, other: &dyn Attribute) -> bool {
        (other as &dyn Any).downcast_ref::<T>().is_some_and(|other| self == other)
    }
}

/// At most one value per type, compared by value.
///
/// ```
/// use trunkline_proto::{Attributes, Weight};
/// let attributes = Attributes::new().with(Weight(3));
/// assert_eq!(attributes.get::<Weight>(), Some(&Weight(3)));
/// ```
#[derive(Clone, Default)]
pub struct Attributes {
    // A handful at most, so a vector in order of insertion; shared, since resolutions are cloned often.
    values: Option<Arc<Vec<Entry>>>,
}

type Entry = (TypeId, Arc<dyn Attribute>);

impl Attributes {
    /// No attributes.
    pub fn new() -> Self {
        Self::default()
    }

    /// These attributes and `value`, in place of an older one of its type.
    #[must_use]
    pub fn with<T: Attribute>(mut self, value: T) -> Self {
        self.insert(value);
        self
    }

    /// Sets the value of its type.
    pub fn insert<T: Attribute>(&mut self, value: T) {
        let id = TypeId::of::<T>();
        let values = Arc::make_mut(self.values.get_or_insert_default());
        match values.iter_mut().find(|(have, _)| *have == id) {
            Some((_, slot)) => *slot = Arc::new(value),
            None => values.push((id, Arc::new(value))),
        }
    }

    /// The value of type `T`, if there is one.
    pub fn get<T: Attribute>(&self) -> Option<&T> {
        let id = TypeId::of::<T>();
        let value = self.iter().find(|(have, _)| *have == id).map(|(_, value)| value)?;
        (&**value as &dyn Any).downcast_ref()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }

    fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.values.iter().flat_map(|values| values.iter())
    }
}

impl PartialEq for Attributes {
    fn eq(&self, other: &Self) -> bool {
        self.iter().count() == other.iter().count()
            && self.iter().all(|(id, mine)| {
                other.iter().any(|(theirs_id, theirs)| theirs_id == id && mine.equals(&**theirs))
            })
    }
}

impl fmt::Debug for Attributes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter().map(|(_, value)| value)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Weight;

    #[derive(Debug, PartialEq)]
    struct Zone(&'static str);

    #[test]
    fn one_value_per_type_and_the_newest_wins() {
        let attributes = Attributes::new().with(Zone("a")).with(Weight(1)).with(Zone("b"));
        assert_eq!(attributes.get::<Zone>(), Some(&Zone("b")));
        assert_eq!(attributes.get::<Weight>(), Some(&Weight(1)));
        assert_eq!(attributes.get::<String>(), None);
    }

    #[test]
    fn equality_is_by_value_whatever_the_order() {
        let one = Attributes::new().with(Zone("a")).with(Weight(1));
        let two = Attributes::new().with(Weight(1)).with(Zone("a"));
        assert_eq!(one, two);
        assert_ne!(one, two.clone().with(Weight(2)));
        assert_ne!(one, Attributes::new());
        assert!(Attributes::new().is_empty());
    }
}
