//! Comments of `.proto` files become documentation, and rustdoc reads documentation as Markdown with programs
//! in it. What was prose or JSON in the `.proto` must not become a doctest that fails in the user's crate.
//! This happens on the descriptors, so that messages and clients are served alike.
//!
//! Markdown is not parsed here, since prost and tonic indent the same comment differently, and each version of
//! rustdoc has its own parser. Instead, whatever could open a block of code by anyone's reading opens one of
//! ours: fenced at the margin, outside of all lists and quotes, so that nothing but our own last line ends it.

use prost_types::FileDescriptorSet;

/// What words in the info string of a fence contain by which rustdoc takes a block for a program, or warns that
/// it nearly would.
const PROGRAM: [&str; 8] = ["rust", "ignore", "run", "panic", "fail", "harness", "standalone", "edition"];

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

fn tame_comment(comment: &str) -> String {
    let mut tamer = Tamer { lines: Vec::new(), block: Block::Loose };
    for line in comment.lines() {
        // rustc refuses a bare carriage return in a doc comment.
        tamer.push(line.replace('\r', ""));
    }
    tamer.close();
    tamer.lines.join("\n")
}

/// Takes a comment line by line.
struct Tamer {
    lines: Vec<String>,
    block: Block,
}

/// What a line comes after.
enum Block {
    /// Nothing that a deeply indented line would continue: it begins a block of code.
    Loose,
    /// A line of prose, which a deeply indented line continues.
    Paragraph,
    /// A block of code by its indentation.
    Indented(Vec<String>),
    Fenced(Fence),
}

impl Tamer {
    fn push(&mut self, line: String) {
        if let Block::Fenced(fence) = &self.block {
            match fence.content(&line) {
                Some(content) if !fence.is_closed_by(&content) => return self.lines.push(content),
                Some(_) => return self.close(),
                None => self.close(),
            }
        }
        let blank = line.trim().is_empty();
        if let Block::Indented(lines) = &mut self.block {
            if blank || is_indented(&line) {
                return lines.push(line);
            }
            self.close();
        }
        let markers = Markers::of(&line);
        if blank {
            self.block = Block::Loose;
            self.lines.push(line);
        } else if let Some(fence) = Fence::opened_by(&markers) {
            self.lines.push(fence.first_line(&markers));
            self.block = Block::Fenced(fence);
        } else if is_indented(&line) && !matches!(self.block, Block::Paragraph) {
            self.block = Block::Indented(vec![line]);
        } else {
            self.block = if is_prose(markers.rest) { Block::Paragraph } else { Block::Loose };
            self.lines.push(markers.narrow + &escape_html(&escape_reference(markers.rest)));
        }
    }

    /// Ends the block of code that is open, if one is.
    fn close(&mut self) {
        match std::mem::replace(&mut self.block, Block::Loose) {
            Block::Loose | Block::Paragraph => {}
            Block::Indented(lines) => {
                let mut fence = "```".to_owned();
                while lines.iter().any(|line| line.contains(&fence)) {
                    fence.push('`');
                }
                self.lines.push(format!(" {fence}text"));
                self.lines.extend(lines);
                self.lines.push(format!(" {fence}"));
            }
            Block::Fenced(fence) => self.lines.push(format!(" {}", fence.mark)),
        }
    }
}

/// Whether a line may be a block of code by its indentation. One space is what separates a comment from its
/// slashes; four more are enough for Markdown, and prost adds one to some lines. A tab is worth up to four.
fn is_indented(line: &str) -> bool {
    let space = leading_space(line);
    space.len() >= 4 || space.contains('\t')
}

/// Whether Markdown takes a line, less its markers, for a part of a paragraph, and so for no heading or rule.
fn is_prose(rest: &str) -> bool {
    let behind_hashes = rest.trim_start_matches('#');
    let heading =
        rest.starts_with('#') && (behind_hashes.is_empty() || behind_hashes.starts_with([' ', '\t']));
    let rule = rest.chars().all(|c| "-=*_".contains(c) || c.is_whitespace());
    !heading && !rule
}

fn leading_space(text: &str) -> &str {
    &text[..text.len() - text.trim_start_matches([' ', '\t']).len()]
}

/// The beginning of a line that says which quotes and list items it is in.
struct Markers<'a> {
    /// The markers, none of them with so much space behind it that a block of code would begin there.
    narrow: String,
    /// How many of them are of quotes.
    quotes: usize,
    /// Whether one is of a list item.
    item: bool,
    /// What they take of the line, less the space that separates it from the slashes.
    width: usize,
    /// The line behind them.
    rest: &'a str,
}

impl<'a> Markers<'a> {
    fn of(line: &'a str) -> Self {
        let space = leading_space(line);
        let mut markers = Markers {
            narrow: space.to_owned(),
            quotes: 0,
            item: false,
            width: 0,
            rest: &line[space.len()..],
        };
        while let Some(length) = marker(markers.rest) {
            let (marker, rest) = markers.rest.split_at(length);
            let space = leading_space(rest);
            markers.quotes += usize::from(marker == ">");
            markers.item |= marker != ">";
            markers.narrow += marker;
            markers.narrow += if space.len() > 4 || space.contains('\t') { " " } else { space };
            markers.rest = &rest[space.len()..];
        }
        markers.width = (line.len() - markers.rest.len()).saturating_sub(1);
        markers
    }
}

/// How long the marker of a quote or a list item is that `text` begins with.
fn marker(text: &str) -> Option<usize> {
    if text.starts_with('>') {
        return Some(1);
    }
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let length = match text[digits..].chars().next()? {
        '-' | '+' | '*' if digits == 0 => 1,
        '.' | ')' if digits > 0 => digits + 1,
        _ => return None,
    };
    let behind = &text[length..];
    (behind.is_empty() || behind.starts_with([' ', '\t'])).then_some(length)
}

/// A fenced block of code. It is moved to the margin, where no list or quote can end it.
struct Fence {
    mark: String,
    /// How many quotes it is in, and whether in a list item that begins on the same line.
    quotes: usize,
    item: bool,
    /// How far it was from the margin.
    width: usize,
}

impl Fence {
    fn opened_by(markers: &Markers<'_>) -> Option<Self> {
        let c = markers.rest.chars().next().filter(|c| ['`', '~'].contains(c))?;
        let info = markers.rest.trim_start_matches(c);
        let mark = &markers.rest[..markers.rest.len() - info.len()];
        // What has backticks behind is code in a line.
        let opens = mark.len() >= 3 && !(c == '`' && info.contains('`'));
        let &Markers { quotes, item, width, .. } = markers;
        opens.then(|| Self { mark: mark.to_owned(), quotes, item, width })
    }

    /// The line that opens it, in a language that rustdoc does not run.
    fn first_line(&self, markers: &Markers<'_>) -> String {
        let info = &markers.rest[self.mark.len()..];
        let mut words = info.split(|c: char| c == ',' || c.is_whitespace()).filter(|word| !word.is_empty());
        let program = words.clone().any(|word| {
            let error = word.strip_prefix('E').is_some_and(|code| code.chars().all(|c| c.is_ascii_digit()));
            word == "rs" || error || PROGRAM.iter().any(|part| word.contains(part))
        });
        let plain = |word: &&str| {
            word.starts_with(|c: char| c.is_ascii_alphabetic())
                && word.chars().all(|c| c.is_ascii_alphanumeric() || "+-#_".contains(c))
        };
        let language = words.next().filter(plain).filter(|_| !program).unwrap_or("text");
        format!(" {}{language}", self.mark)
    }

    /// A line as it is within the block, or `None` if the quote or the list item is over, and the block with it.
    fn content(&self, line: &str) -> Option<String> {
        let mut rest = line.strip_prefix(' ').unwrap_or(line);
        if self.quotes > 0 {
            rest = rest.trim_start().strip_prefix('>')?;
            for _ in 1..self.quotes {
                rest = rest.trim_start().strip_prefix('>').unwrap_or(rest);
            }
            return Some(format!(" {}", rest.strip_prefix(' ').unwrap_or(rest)));
        }
        if rest.trim().is_empty() {
            return Some(String::new());
        }
        let mut removed = 0;
        while removed < self.width {
            removed += match rest.chars().next() {
                Some(' ') => 1,
                Some('\t') => 4,
                Some(_) if self.item => return None,
                _ => break,
            };
            rest = &rest[1..];
        }
        Some(format!(" {rest}"))
    }

    fn is_closed_by(&self, content: &str) -> bool {
        let behind = content.trim().strip_prefix(&self.mark);
        behind.is_some_and(|more| more.chars().all(|c| self.mark.contains(c)))
    }
}

/// Escapes what begins as the definition of a link does: that is no prose, so that code may follow it.
fn escape_reference(rest: &str) -> String {
    let defines = rest.starts_with('[') && (rest.contains("]:") || !rest.contains(']'));
    if defines { format!("\\{rest}") } else { rest.to_owned() }
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
            '<' if !in_code && rest.starts_with(|c: char| c.is_ascii_alphabetic() || "/!?".contains(c)) => {
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
    fn a_tab_indents_as_well() {
        assert_eq!(tame_comment(" Such as:\n\n \tlet x;\n"), " Such as:\n\n ```text\n \tlet x;\n ```");
        assert_eq!(tame_comment("\tx"), " ```text\n\tx\n ```");
    }

    #[test]
    fn only_prose_is_continued_by_an_indented_line() {
        let code = "     let x;";
        let fenced = " ```text\n     let x;\n ```";
        for before in
            [" # Title", " #", " Title\n ====", " Title\n ---", " * * *", " -", " >", " ```text\n x\n ```"]
        {
            assert_eq!(tame_comment(&format!("{before}\n{code}")), format!("{before}\n{fenced}"));
        }
        for before in [" #1 of these", " - an item", " 1. an item", " > a quote", " --flag", " [a] b"] {
            let comment = format!("{before}\n{code}");
            assert_eq!(tame_comment(&comment), comment);
        }
        assert_eq!(tame_comment(" [a]: /b\n     x"), " \\[a]: /b\n     x");
    }

    #[test]
    fn fences_in_lists_and_quotes_are_moved_to_the_margin() {
        let x = " ```text\n x\n ```";
        for comment in [
            " - ```\n   x\n   ```",
            " 1. ```\n    x\n    ```",
            " > ```\n > x\n > ```",
            " > - ```\n >   x\n >   ```",
            "     ```\n     x\n     ```",
            " - ```rust\n   x\n   ```",
        ] {
            let tamed = tame_comment(&format!(" a\n{comment}\n b"));
            let tamed = tamed.replace("   x", " x");
            assert_eq!(tamed, format!(" a\n{x}\n b"), "{comment}");
        }
        assert_eq!(tame_comment(" - a\n   ```json\n   {}\n   ```"), " - a\n ```json\n {}\n ```");
    }

    #[test]
    fn a_fenced_block_ends_with_its_quote_or_its_item() {
        assert_eq!(tame_comment(" > ```\n > x\n\n y"), " ```text\n x\n ```\n\n y");
        assert_eq!(tame_comment(" - ```\n   x\n\n y"), " ```text\n x\n\n ```\n y");
    }

    #[test]
    fn a_fence_is_as_long_as_it_must_be() {
        assert_eq!(tame_comment(" ````\n ```\n x\n ````\n y"), " ````text\n ```\n x\n ````\n y");
        assert_eq!(tame_comment(" ```json\n ```rust\n ```\n y"), " ```json\n ```rust\n ```\n y");
        assert_eq!(tame_comment("     a\n     ```\n     b"), " ````text\n     a\n     ```\n     b\n ````");
        assert_eq!(tame_comment(" ``` x ``` is code in a line\n y"), " ``` x ``` is code in a line\n y");
    }

    #[test]
    fn what_rustdoc_takes_for_rust_is_text() {
        for info in ["rs", "json,rust", "E0001", "{.json}", "edition2021", "compile-fail"] {
            assert_eq!(tame_comment(&format!(" ```{info}\n x\n ```")), " ```text\n x\n ```", "{info}");
        }
    }

    #[test]
    fn wide_space_behind_a_marker_begins_no_block() {
        assert_eq!(tame_comment(" -     x\n >\ty\n 1.      z"), " - x\n > y\n 1. z");
        assert_eq!(tame_comment(" -   x\n > - y"), " -   x\n > - y");
    }

    #[test]
    fn what_looks_like_html_is_text() {
        assert_eq!(tame_comment(" a <b> of Map<K, V> < 3 </p>\r\n"), " a \\<b> of Map\\<K, V> < 3 \\</p>");
        assert_eq!(tame_comment(" see <https://a.b/> and <b>"), " see https://a.b/ and \\<b>");
        assert_eq!(tame_comment(" x\ry"), " xy");
        assert_eq!(tame_comment(" <?x\n <!-- y"), " \\<?x\n \\<!-- y");
    }
}
