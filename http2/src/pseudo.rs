//! Which pseudo fields the head of a request has, and whether they are those that it must have (RFC 9113 section
//! 8.3.1). Looked at when a template is made, so that a call pays for no more than what it adds to that.

/// Those that are known, each there once and with a value.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct PseudoFields(u8);

impl PseudoFields {
    /// One more of them.
    pub(crate) fn add(&mut self, name: &[u8], value: &[u8]) -> Result<(), &'static str> {
        let field = match name {
            b":method" if value == b"CONNECT" => METHOD | CONNECT,
            b":method" => METHOD,
            b":scheme" => SCHEME,
            b":path" => PATH,
            b":authority" => AUTHORITY,
            // `:protocol` among them: it needs SETTINGS_ENABLE_CONNECT_PROTOCOL of the server's (RFC 8441 section 4).
            _ => return Err("pseudo field that no request has (RFC 9113 8.3)"),
        };
        if value.is_empty() {
            return Err("pseudo field without a value (RFC 9113 8.3.1)");
        }
        if self.0 & field != 0 {
            return Err("pseudo field twice (RFC 9113 8.3)");
        }
        self.0 |= field;
        Ok(())
    }

    /// Whether they make a request.
    pub(crate) fn check(self) -> Result<(), &'static str> {
        let is_request = match self.0 & CONNECT {
            0 => self.0 | AUTHORITY == METHOD | SCHEME | PATH | AUTHORITY,
            // Which says where to, and nothing else (RFC 9113 section 8.5).
            _ => self.0 == METHOD | AUTHORITY | CONNECT,
        };
        if is_request { Ok(()) } else { Err("request without its pseudo fields (RFC 9113 8.3.1)") }
    }
}

const METHOD: u8 = 1;
const SCHEME: u8 = 2;
const PATH: u8 = 4;
const AUTHORITY: u8 = 8;
/// The method is CONNECT.
const CONNECT: u8 = 16;

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(fields: &[(&str, &str)]) -> Result<(), &'static str> {
        let mut pseudo = PseudoFields::default();
        for (name, value) in fields {
            pseudo.add(name.as_bytes(), value.as_bytes())?;
        }
        pseudo.check()
    }

    #[test]
    fn a_request_has_method_scheme_and_path_and_may_have_an_authority() {
        const ALL: [(&str, &str); 4] =
            [(":method", "POST"), (":scheme", "http"), (":path", "/a/B"), (":authority", "a")];
        for without in ALL {
            let fields: Vec<_> = ALL.into_iter().filter(|field| *field != without).collect();
            assert_eq!(judge(&fields).is_ok(), without.0 == ":authority", "{fields:?}");
        }
        assert_eq!(judge(&ALL), Ok(()));
        for twice in ALL {
            assert!(judge(&[&ALL[..], &[twice]].concat()).is_err(), "{twice:?}");
        }
        for empty in 0..ALL.len() {
            let mut fields = ALL;
            fields[empty].1 = "";
            assert!(judge(&fields).is_err(), "{fields:?}");
        }
        for unknown in [":status", ":protocol", ":Path", ":", ":path "] {
            assert!(judge(&[&ALL[..], &[(unknown, "x")]].concat()).is_err(), "{unknown:?}");
        }
    }

    #[test]
    fn connect_says_where_to_and_nothing_else() {
        let connect = [(":method", "CONNECT"), (":authority", "a:1")];
        assert_eq!(judge(&connect), Ok(()));
        assert!(judge(&connect[..1]).is_err());
        for more in [(":scheme", "http"), (":path", "/"), (":method", "POST")] {
            assert!(judge(&[&connect[..], &[more]].concat()).is_err(), "{more:?}");
        }
    }
}
