//! A chart as SVG: horizontal bars, a panel per figure, readable on a light and on a dark page.

use std::fmt::Write as _;

/// One figure of all contenders.
pub(super) struct Panel {
    pub(super) title: String,
    /// Digits behind the point of the values that are written at the bars.
    pub(super) digits: usize,
    pub(super) bars: Vec<Bar>,
}

/// One contender's value.
pub(super) struct Bar {
    pub(super) label: String,
    pub(super) value: f64,
    /// Drawn in the strong colour.
    pub(super) ours: bool,
}

const WIDTH: f64 = 840.0;
/// Where bars begin, behind the labels.
const LEFT: f64 = 250.0;
/// Room for a value behind the longest bar.
const RIGHT: f64 = 90.0;
const ROW: f64 = 26.0;

/// Colours follow the reader's scheme; the background stays the page's own.
const STYLE: &str = "text{font:13px system-ui,sans-serif;fill:#24292f}.t{font-size:15px;font-weight:600}.p{font-weight:600}\
.o{fill:#c2410c}.b{fill:#8c959f}@media(prefers-color-scheme:dark){text{fill:#e6edf3}.o{fill:#fb923c}.b{fill:#6e7681}}";

/// Draws `panels` below each other.
pub(super) fn svg(title: &str, panels: &[Panel]) -> String {
    let mut body = String::new();
    let mut y = 26.0;
    text(&mut body, "t", 8.0, y, "start", title);
    for panel in panels {
        y += 34.0;
        text(&mut body, "p", 8.0, y, "start", &panel.title);
        y += 10.0;
        let longest = panel.bars.iter().map(|bar| bar.value).fold(f64::MIN_POSITIVE, f64::max);
        for bar in &panel.bars {
            let width = (bar.value.max(0.0) / longest * (WIDTH - LEFT - RIGHT)).max(1.0);
            let class = if bar.ours { "o" } else { "b" };
            let middle = y + ROW / 2.0 + 4.5;
            text(&mut body, "", LEFT - 8.0, middle, "end", &bar.label);
            let _ = writeln!(
                body,
                "<rect class=\"{class}\" x=\"{LEFT}\" y=\"{:.1}\" width=\"{width:.1}\" height=\"{}\" rx=\"2\"/>",
                y + 4.0,
                ROW - 8.0
            );
            text(&mut body, "", LEFT + width + 6.0, middle, "start", &number(bar.value, panel.digits));
            y += ROW;
        }
    }
    let height = y + 12.0;
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" height=\"{height}\" role=\"img\">\n\
         <title>{}</title>\n<style>{STYLE}</style>\n{body}</svg>\n",
        escape(title)
    )
}

fn text(into: &mut String, class: &str, x: f64, y: f64, anchor: &str, what: &str) {
    let what = escape(what);
    let _ = writeln!(
        into,
        "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{what}</text>"
    );
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// With commas between thousands.
fn number(value: f64, digits: usize) -> String {
    let plain = format!("{value:.digits$}");
    let (whole, rest) = plain.find('.').map_or((plain.as_str(), ""), |point| plain.split_at(point));
    let mut grouped = String::new();
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && digit != '-' && (whole.len() - index) % 3 == 0 && !grouped.ends_with('-') {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped + rest
}

#[cfg(test)]
mod tests {
    use super::{Bar, Panel, number, svg};

    #[test]
    fn thousands() {
        assert_eq!(number(1_234_567.0, 0), "1,234,567");
        assert_eq!(number(999.25, 1), "999.2");
        assert_eq!(number(-123.0, 0), "-123");
    }

    #[test]
    fn bars_are_as_long_as_their_values_and_names_are_escaped() {
        let bar = |label: &str, value| Bar { label: label.to_owned(), value, ours: false };
        let bars = vec![bar("a > b", 100.0), bar("half", 50.0)];
        let drawn = svg("x & y", &[Panel { title: "events/s".to_owned(), digits: 0, bars }]);
        assert!(drawn.contains("a &gt; b") && drawn.contains("<title>x &amp; y</title>"));
        assert!(drawn.contains("width=\"500.0\"") && drawn.contains("width=\"250.0\""), "{drawn}");
    }
}
