//! Comments of `.proto` files become documentation, and rustdoc reads documentation as Markdown with programs
//! in it. What was prose or JSON in the `.proto` must not become a doctest that fails in the user's crate.
//! This happens on the descriptors, so that messages and clients are served alike.

use prost_types::FileDescriptorSet;

/// Words in the info string of a fence by which rustdoc takes a block for a program.
const PROGRAM: [&str; 8] =
    ["rust", "rs", "ignore", "no_run", "should_panic", "compile_fail", "test_harness", "standalone"];

/// Makes every comment harmless to rustdoc.
pub(crate) fn tame(descriptors: &mut FileDescriptorSet) {
    let locations = descriptors
        .file
        .iter_mut()
        .flat_map(|file| &mut file.source_code_info)
        .flat_map(|info| &mut info.location);
    for location in locations {
        for comment in [&mut location.leading_comments, &mut location.trailing_comments].into_iter().flatten()
        {
            *comment = tame_comment(comment);
        }
    }
}

enum Block {
    Text { after_blank: bool },
    Fenced { fence: &'static str },
    Indented,
}

fn tame_comment(comment: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    let mut block = Block::Text { after_blank: true };
    for line in comment.lines() {
        // rustc refuses a bare carriage return in a doc comment.
        let line = line.replace('\r', "");
        let blank = line.trim().is_empty();
        // One space is what separates a comment from its slashes; four more begin a code block in Markdown,
        // and prost adds one to some lines.
        let indented = line.starts_with("    ") || line.starts_with('\t');
        if let Block::Indented = block {
            if blank || indented {
                lines.push(line);
                continue;
            }
            lines.push(" ```".to_owned());
            block = Block::Text { after_blank: false };
        }
        match block {
            Block::Fenced { fence } => {
                if line.trim_start().starts_with(fence) {
                    block = Block::Text { after_blank: false };
                }
                lines.push(line);
            }
            Block::Text { after_blank: true } if indented && !blank => {
                lines.extend([" ```text".to_owned(), line]);
                block = Block::Indented;
            }
            _ => match opened_fence(&line) {
                Some(fence) => {
                    lines.push(as_text(&line, fence));
                    block = Block::Fenced { fence };
                }
                None => {
                    lines.push(escape_html(&line));
                    block = Block::Text { after_blank: blank };
                }
            },
        }
    }
    match block {
        Block::Text { .. } => {}
        Block::Indented => lines.push(" ```".to_owned()),
        Block::Fenced { fence } => lines.push(format!(" {fence}")),
    }
    lines.join("\n")
}

fn opened_fence(line: &str) -> Option<&'static str> {
    ["```", "~~~"].into_iter().find(|fence| line.trim_start().starts_with(fence))
}

/// The opening line of a fenced block, in a language that rustdoc does not run.
fn as_text(line: &str, fence: &str) -> String {
    let info = line.trim().trim_start_matches(|c| fence.contains(c));
    let mut words =
        info.split(|c: char| c == ',' || c.is_whitespace()).filter(|word| !word.is_empty()).peekable();
    let program = words.peek().is_none() || words.any(|word| PROGRAM.contains(&word));
    if program { format!(" {fence}text") } else { line.to_owned() }
}

/// Escapes what rustdoc would take for an HTML tag, such as `Vec<T>`, outside of code spans. Links lose their
/// angle brackets, since prost puts them around every link.
fn escape_html(line: &str) -> String {
    let mut escaped = String::with_capacity(line.len());
    let (mut in_code, mut in_link) = (false, false);
    for (index, c) in line.char_indices() {
        let rest = &line[index + c.len_utf8()..];
        in_code ^= c == '`';
        match c {
            '<' if !in_code && rest.starts_with("http") => in_link = true,
            '>' if in_link => in_link = false,
            '<' if !in_code
                && rest.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/' || c == '!') =>
            {
                escaped.push_str("\\<");
            }
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prose_stays_as_it_is() {
        let comment = " One line.\n\n - a list\n   that goes on\n\n See `Vec<T>` and https://a.b.";
        assert_eq!(tame_comment(comment), comment);
    }

    #[test]
    fn indented_blocks_are_no_programs() {
        assert_eq!(
            tame_comment(" Such as:\n\n     let x;\n\n     y\n and so on"),
            " Such as:\n\n ```text\n     let x;\n\n     y\n ```\n and so on"
        );
        assert_eq!(tame_comment("     x"), " ```text\n     x\n ```");
        assert_eq!(tame_comment(" goes on\n      here"), " goes on\n      here");
    }

    #[test]
    fn fenced_blocks_are_no_programs_either_and_are_closed() {
        assert_eq!(tame_comment(" ```\n x\n ```"), " ```text\n x\n ```");
        assert_eq!(tame_comment(" ```rust,no_run\n x\n ```\n y"), " ```text\n x\n ```\n y");
        assert_eq!(tame_comment(" ~~~json\n     {}"), " ~~~json\n     {}\n ~~~");
    }

    #[test]
    fn what_looks_like_html_is_text() {
        assert_eq!(tame_comment(" a <b> of Map<K, V> < 3 </p>\r\n"), " a \\<b> of Map\\<K, V> < 3 \\</p>");
        assert_eq!(tame_comment(" see <https://a.b/> and <b>"), " see https://a.b/ and \\<b>");
        assert_eq!(tame_comment(" x\ry"), " xy");
    }
}
