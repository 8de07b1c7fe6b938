//! Markdown to HTML, for stories and debriefs: no raw HTML passes, links lead only to the web.

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd, html};

/// Renders a text.
pub(crate) fn render(text: &str) -> String {
    let mut skipped_links = Vec::new();
    let events = Parser::new_ext(text, Options::ENABLE_TABLES).filter_map(|event| match event {
        Event::Html(raw) | Event::InlineHtml(raw) => Some(Event::Text(raw)),
        Event::Start(Tag::Link { ref dest_url, .. }) => {
            let safe = dest_url.starts_with("https://") || dest_url.starts_with("http://");
            skipped_links.push(!safe);
            safe.then_some(event)
        }
        Event::End(TagEnd::Link) => (!skipped_links.pop().unwrap_or(false)).then_some(event),
        // Nothing is ever loaded from elsewhere; the description of an image stays.
        Event::Start(Tag::Image { .. }) | Event::End(TagEnd::Image) => None,
        Event::Start(Tag::HtmlBlock) | Event::End(TagEnd::HtmlBlock) => None,
        other => Some(other),
    });
    let mut out = String::with_capacity(text.len() * 2);
    html::push_html(&mut out, events);
    out
}

#[cfg(test)]
mod tests {
    use super::render;

    #[test]
    fn nothing_of_a_text_becomes_markup_of_ours() {
        let html = render("A <script>alert(1)</script> **bold** <b>x</b>\n\n<img src=x onerror=alert(1)>");
        assert!(html.contains("<strong>bold</strong>"));
        assert!(!html.contains("<script") && !html.contains("<b>") && !html.contains("<img"), "{html}");
    }

    #[test]
    fn links_lead_to_the_web_or_nowhere() {
        let html = render("[a](javascript:alert(1)) [b](https://kubernetes.io/) ![c](http://x/y.png)");
        assert!(!html.contains("javascript"), "{html}");
        assert!(html.contains("<a href=\"https://kubernetes.io/\">b</a>"), "{html}");
        assert!(!html.contains("<img"), "{html}");
    }
}
