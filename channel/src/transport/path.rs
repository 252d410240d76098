//! The path of a request. The paths of a stub's methods live as long as the program, so calls share them, and
//! whoever keeps something for each path finds theirs by where it lies.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use http::Uri;
use http::uri::PathAndQuery;

/// A method's path, `/package.Service/Method`.
#[derive(Clone)]
pub(crate) enum Path {
    /// Of a stub's method.
    Method(&'static PathAndQuery),
    /// Of a request that was made elsewhere. Shared, so that a path is small: it moves with its call.
    Other(Arc<PathAndQuery>),
}

impl Path {
    /// Where the path of a stub's method lies: another place is not always another path.
    pub(crate) fn place(&self) -> Option<&'static PathAndQuery> {
        match self {
            Self::Method(path) => Some(path),
            Self::Other(_) => None,
        }
    }
}

impl Deref for Path {
    type Target = PathAndQuery;

    fn deref(&self) -> &PathAndQuery {
        match self {
            Self::Method(path) => path,
            Self::Other(path) => path,
        }
    }
}

impl From<PathAndQuery> for Path {
    fn from(path: PathAndQuery) -> Self {
        Self::Other(Arc::new(path))
    }
}

impl From<Path> for PathAndQuery {
    fn from(path: Path) -> Self {
        match path {
            Path::Method(path) => path.clone(),
            Path::Other(path) => Arc::unwrap_or_clone(path),
        }
    }
}

impl From<Path> for Uri {
    fn from(path: Path) -> Self {
        PathAndQuery::from(path).into()
    }
}

impl fmt::Debug for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}
