//! One header field that is to be sent, and how it treats the table.

use std::fmt;

/// One header field of a request, borrowed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Field<'a> {
    /// The name, in lowercase. Names that begin with `:` belong into templates, or at once behind one that has no
    /// others, as `:path` may.
    pub name: &'a [u8],
    /// The value, as it goes onto the wire, but for white space around it, which stays here.
    pub value: &'a [u8],
    /// How the field treats the table.
    pub indexing: Indexing,
}

/// How a field treats the header table, which both sides of a connection keep (RFC 7541 2.3.2). It decides
/// how many bytes a field costs and who may keep its value; never what the server reads.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[non_exhaustive]
pub enum Indexing {
    /// It may repeat: the field enters the table when it is seen for a second time within a short while.
    #[default]
    Adaptive,
    /// It differs from call to call, as `grpc-timeout` and trace ids do: the value is never looked for nor
    /// kept. The name enters the table once, with the first value.
    Transient,
    /// It is secret: no table on the way keeps it, neither ours nor those of proxies (RFC 7541 7.1.3).
    /// Secrets that can be guessed are to be sent so, if somebody else can cause requests on this connection
    /// and see their sizes.
    Never,
}

/// The name only: values may be secret.
impl fmt::Debug for Field<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = String::from_utf8_lossy(self.name);
        f.debug_struct("Field").field("name", &name).field("indexing", &self.indexing).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_does_not_show_the_value() {
        let field = Field { name: b"authorization", value: b"secret", indexing: Indexing::Never };
        assert_eq!(format!("{field:?}"), r#"Field { name: "authorization", indexing: Never, .. }"#);
    }
}
