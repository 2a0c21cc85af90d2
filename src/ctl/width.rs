//! How wide text is on a terminal: Japanese and emoji take two columns, combining marks none.

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

pub(super) fn width(text: &str) -> usize {
    text.width()
}

/// Spaces that make `text` as wide as `columns`.
pub(super) fn padding(text: &str, columns: usize) -> String {
    " ".repeat(columns.saturating_sub(width(text)))
}

/// The beginning of what is too wide, with a sign that there is more.
pub(super) fn cut(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let mut left = columns.saturating_sub(1);
    let fitting = text.chars().take_while(|c| {
        let own = c.width().unwrap_or(0);
        let fits = own <= left;
        left = left.saturating_sub(own);
        fits
    });
    format!("{}…", fitting.collect::<String>())
}

/// Cells one below the other: a line a row, two spaces between columns, numbers to the right.
pub(super) fn columns<const N: usize>(rows: &[[String; N]], to_the_right: [bool; N]) -> String {
    let widest = |column: usize| {
        rows.iter()
            .map(|row| width(&row[column]))
            .max()
            .unwrap_or(0)
    };
    let widths: [usize; N] = std::array::from_fn(widest);
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (column, cell) in row.iter().enumerate() {
            let padding = padding(cell, widths[column]);
            match to_the_right[column] {
                true => line.extend([&padding, cell.as_str()]),
                false => line.extend([cell.as_str(), &padding]),
            }
            line.push_str("  ");
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wide_characters_take_two_columns() {
        let row = |name: &str| [name.to_owned(), "x".to_owned()];
        let text = columns(
            &[row("顧客"), row("orders"), row("café\u{301}")],
            [false, false],
        );
        assert_eq!(text, "顧客    x\norders  x\ncafé\u{301}    x\n");
    }

    #[test]
    fn what_is_too_wide_is_cut_and_says_so() {
        assert_eq!(cut("orders", 6), "orders");
        assert_eq!(cut("orders", 5), "orde…");
        assert_eq!(cut("顧客顧客", 6), "顧客…");
    }
}
