//! HTML that is well formed and escaped by construction: names of elements and markup are words of
//! this program, and text from elsewhere gets in through [`Html::text`] and attributes only.

/// An attribute: its name and its value.
pub(super) type Attribute<'a> = (&'static str, &'a str);

/// A piece of a page.
#[derive(Debug, Default)]
pub(super) struct Html(String);

impl Html {
    /// An element with what is inside it.
    pub(super) fn element(
        &mut self,
        name: &'static str,
        attributes: &[Attribute<'_>],
        inside: impl FnOnce(&mut Self),
    ) {
        self.open(name, attributes);
        inside(self);
        self.0.push_str("</");
        self.0.push_str(name);
        self.0.push('>');
    }

    /// An element with text in it.
    pub(super) fn leaf(&mut self, name: &'static str, attributes: &[Attribute<'_>], text: &str) {
        self.element(name, attributes, |inside| inside.text(text));
    }

    /// An element that has no end.
    pub(super) fn void(&mut self, name: &'static str, attributes: &[Attribute<'_>]) {
        self.open(name, attributes);
    }

    /// Text.
    pub(super) fn text(&mut self, text: &str) {
        for character in text.chars() {
            match character {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&#39;"),
                other => self.0.push(other),
            }
        }
    }

    /// Markup, style or script of this program.
    pub(super) fn markup(&mut self, markup: &'static str) {
        self.0.push_str(markup);
    }

    /// A line break in the source, for those who read it.
    pub(super) fn line(&mut self) {
        self.0.push('\n');
    }

    /// The text of the page.
    pub(super) fn finish(self) -> String {
        self.0
    }

    fn open(&mut self, name: &'static str, attributes: &[Attribute<'_>]) {
        self.0.push('<');
        self.0.push_str(name);
        // A class without a name says nothing.
        for (name, value) in attributes.iter().filter(|one| **one != ("class", "")) {
            self.0.push(' ');
            self.0.push_str(name);
            self.0.push_str("=\"");
            self.text(value);
            self.0.push('"');
        }
        self.0.push('>');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_attributes_are_escaped() {
        let mut page = Html::default();
        page.element("p", &[("class", "a\" onclick=\"b"), ("title", "'&'")], |p| {
            p.text("<script>alert(\"1\")</script> & more");
            p.void("br", &[]);
        });
        assert_eq!(
            page.finish(),
            "<p class=\"a&quot; onclick=&quot;b\" title=\"&#39;&amp;&#39;\">&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt; &amp; more<br></p>"
        );
    }
}
