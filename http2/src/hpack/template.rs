//! Header fields that many requests begin with, and the block that stands for them. Apart from the encoder,
//! which only asks whether the block is still good.

use super::index::Hashes;
use super::list_size;

/// A peer's methods, each with its `:path`, fit many times; who makes one per call is stopped before it costs
/// memory.
const MAX_TEMPLATES: usize = 1024;

/// Header fields that repeat, as [`Connection::template`](crate::Connection::template) made them. It belongs
/// to the one connection that made it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct TemplateId(u16);

/// The templates of one encoder.
#[derive(Default)]
pub(super) struct Templates(Vec<Template>);

impl Templates {
    /// Copies the fields; nothing if there are too many templates already.
    pub(super) fn add(
        &mut self,
        fields: impl IntoIterator<Item = (impl AsRef<[u8]>, impl AsRef<[u8]>)>,
    ) -> Option<TemplateId> {
        if self.0.len() >= MAX_TEMPLATES {
            return None;
        }
        let id = TemplateId(u16::try_from(self.0.len()).ok()?);
        self.0.push(Template::new(fields));
        Some(id)
    }

    pub(super) fn get(&self, id: TemplateId) -> Option<&Template> {
        self.0.get(usize::from(id.0))
    }

    pub(super) fn get_mut(&mut self, id: TemplateId) -> Option<&mut Template> {
        self.0.get_mut(usize::from(id.0))
    }
}

/// One template.
pub(super) struct Template {
    /// Name and value of each field, one after the other.
    text: Box<[u8]>,
    fields: Box<[TemplateField]>,
    list_size: usize,
    /// The fields as they were encoded last without a change of the table.
    block: Vec<u8>,
    /// The table's generation then; none before the first time.
    generation: Option<u64>,
    /// Whether encoding the fields anew could not make the block shorter.
    is_final: bool,
    /// When the template was used last, in blocks. Not kept up while its block is final.
    last_use: Option<u32>,
}

/// Where in the text a field ends, and what the index needs of it.
struct TemplateField {
    name_end: usize,
    value_end: usize,
    hashes: Hashes,
}

impl Template {
    fn new(fields: impl IntoIterator<Item = (impl AsRef<[u8]>, impl AsRef<[u8]>)>) -> Self {
        let (mut text, mut size) = (Vec::new(), 0);
        let copy = |(name, value): (_, _)| {
            let (name, value) = (AsRef::<[u8]>::as_ref(&name), AsRef::<[u8]>::as_ref(&value));
            text.extend_from_slice(name);
            let name_end = text.len();
            text.extend_from_slice(value);
            size += list_size(name, value);
            TemplateField { name_end, value_end: text.len(), hashes: Hashes::of(name, value) }
        };
        let fields = fields.into_iter().map(copy).collect();
        Self {
            text: text.into(),
            fields,
            list_size: size,
            block: Vec::new(),
            generation: None,
            is_final: false,
            last_use: None,
        }
    }

    /// What the fields count in a header list, in bytes (RFC 9113 6.5.2).
    pub(super) fn list_size(&self) -> usize {
        self.list_size
    }

    /// The fields in their order.
    pub(super) fn fields(&self) -> impl Iterator<Item = (&[u8], &[u8], Hashes)> {
        let mut start = 0;
        self.fields.iter().map(move |field| {
            let name = &self.text[start..field.name_end];
            start = field.value_end;
            (name, &self.text[field.name_end..field.value_end], field.hashes)
        })
    }

    /// The final block that stands for the fields while the table has this generation.
    #[inline]
    pub(super) fn final_block(&self, generation: u64) -> Option<&[u8]> {
        (self.is_final && self.generation == Some(generation)).then_some(&self.block)
    }

    /// The block that stands for the fields while the table has this generation, though some of them might
    /// enter it.
    pub(super) fn block(&self, generation: u64) -> Option<&[u8]> {
        (self.generation == Some(generation)).then_some(&self.block)
    }

    /// How many blocks ago the template was used, if ever; now it is.
    pub(super) fn use_again(&mut self, now: u32) -> Option<u32> {
        self.last_use.replace(now).map(|before| now.wrapping_sub(before))
    }

    /// `block` stands for the fields as long as the table has this generation.
    pub(super) fn keep_block(&mut self, block: &[u8], generation: u64, is_final: bool) {
        self.block.clear();
        self.block.extend_from_slice(block);
        self.generation = Some(generation);
        self.is_final = is_final;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_keeps_its_fields_and_their_size() {
        let template = Template::new([(":path", "/svc/M"), ("te", "trailers"), ("empty", "")]);
        let fields: Vec<_> = template.fields().map(|(name, value, _)| (name, value)).collect();
        assert_eq!(fields, [(&b":path"[..], &b"/svc/M"[..]), (b"te", b"trailers"), (b"empty", b"")]);
        assert_eq!(template.list_size(), 5 + 6 + 2 + 8 + 5 + 3 * 32);
    }

    #[test]
    fn a_block_is_good_for_its_generation_only() {
        let mut template = Template::new([("te", "trailers")]);
        assert_eq!(template.block(0), None);
        template.keep_block(b"block", 7, true);
        assert_eq!((template.block(7), template.block(8)), (Some(&b"block"[..]), None));
        assert_eq!((template.final_block(7), template.final_block(8)), (Some(&b"block"[..]), None));
        template.keep_block(b"other", 8, false);
        assert_eq!((template.block(8), template.final_block(8)), (Some(&b"other"[..]), None));
    }

    #[test]
    fn a_template_knows_when_it_was_used_last() {
        let mut template = Template::new([("te", "trailers")]);
        let ages = [u32::MAX, 4, 4].map(|now| template.use_again(now));
        assert_eq!(ages, [None, Some(5), Some(0)]);
    }

    #[test]
    fn there_is_an_end_to_templates() {
        let mut templates = Templates::default();
        let made = (0..2 * MAX_TEMPLATES).map_while(|_| templates.add([("a", "b")])).count();
        assert_eq!(made, MAX_TEMPLATES);
        assert!(templates.get(TemplateId(5)).is_some());
        assert!(templates.get(TemplateId(MAX_TEMPLATES as u16)).is_none());
    }
}
