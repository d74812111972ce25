//! A statement as it stands in its file: parameters by name, and the table's name open.

use std::{borrow::Cow, sync::Arc};

use super::{
    table::Table,
    values::{Parameter, Value, Values},
};

/// How a database writes a parameter.
#[derive(Clone, Copy, Debug)]
pub(in crate::backends) enum Style {
    /// `$1`, which may stand more than once.
    Numbered(char),
    /// `?`, each time anew.
    Marked,
}

/// A statement to be prepared, and the parameters in the order in which they are bound.
#[derive(Clone, Debug)]
pub struct Statement {
    pub(in crate::backends) text: Arc<str>,
    pub(in crate::backends) parameters: Vec<Parameter>,
    /// Text and parameters in turn, as they stand in the file.
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug)]
enum Piece {
    Text(String),
    Value(Parameter),
}

impl Statement {
    /// The statement of a file for a table. `row` stands for the columns of a [`Row`](super::row::Row).
    pub(in crate::backends) fn new(file: &str, row: &str, table: &Table, style: Style) -> Self {
        let text = without_comments(file).replace("{row}", without_comments(row).trim());
        let text = text.replace("{table}", &table.quoted);
        let pieces = pieces(text.trim().trim_end_matches(';'));
        let (mut text, mut parameters) = (String::new(), Vec::new());
        for piece in &pieces {
            match (piece, style) {
                (Piece::Text(plain), _) => text.push_str(plain),
                (Piece::Value(parameter), Style::Marked) => {
                    parameters.push(*parameter);
                    text.push('?');
                }
                (Piece::Value(parameter), Style::Numbered(sign)) => {
                    let known = parameters.iter().position(|known| known == parameter);
                    let number = known.unwrap_or_else(|| {
                        parameters.push(*parameter);
                        parameters.len() - 1
                    });
                    text.push(sign);
                    text.push_str(&(number + 1).to_string());
                }
            }
        }
        Self { text: text.into(), parameters, pieces }
    }

    /// The statement with its values in it, for where nothing can be prepared. `quoted` writes a text.
    pub(in crate::backends) fn filled(&self, values: &Values<'_>, quoted: impl Fn(&str) -> String) -> String {
        let piece = |piece| match piece {
            &Piece::Text(ref plain) => Cow::from(plain),
            &Piece::Value(parameter) => Cow::from(match values.get(parameter) {
                Value::Text(text) => quoted(text),
                Value::Number(number) => number.to_string(),
            }),
        };
        self.pieces.iter().map(piece).collect()
    }
}

fn without_comments(file: &str) -> String {
    let lines = file.lines().filter(|line| !line.trim_start().starts_with("--"));
    lines.collect::<Vec<_>>().join("\n")
}

/// A `:name` is a parameter, wherever it stands; a colon that begins no known name is text.
fn pieces(text: &str) -> Vec<Piece> {
    let (mut pieces, mut plain) = (Vec::new(), String::new());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(':') {
        let length = after.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(after.len());
        plain.push_str(before);
        match Parameter::named(&after[..length]) {
            Some(parameter) => {
                pieces.push(Piece::Text(std::mem::take(&mut plain)));
                pieces.push(Piece::Value(parameter));
                rest = &after[length..];
            }
            None => {
                plain.push(':');
                rest = after;
            }
        }
    }
    plain.push_str(rest);
    pieces.push(Piece::Text(plain));
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "-- Says :owner why.\nSELECT {row} FROM {table} WHERE id = :id AND owner <> :owner OR id = :id;\n";

    fn statement(style: Style) -> Statement {
        Statement::new(FILE, "-- All.\nkey, owner", &Table::parse("app.locks", '"').unwrap(), style)
    }

    #[test]
    fn parameters_are_numbered_once_or_marked_each_time() {
        let numbered = statement(Style::Numbered('$'));
        assert_eq!(
            &*numbered.text,
            r#"SELECT key, owner FROM "app"."locks" WHERE id = $1 AND owner <> $2 OR id = $1"#
        );
        assert_eq!(numbered.parameters, [Parameter::Id, Parameter::Owner]);
        let marked = statement(Style::Marked);
        assert!(marked.text.ends_with("WHERE id = ? AND owner <> ? OR id = ?"));
        assert_eq!(marked.parameters, [Parameter::Id, Parameter::Owner, Parameter::Id]);
    }

    #[test]
    fn values_stand_where_nothing_can_be_prepared() {
        let values = Values { owner: "o", ttl: 7, ..Values::of("i") };
        let filled = statement(Style::Marked).filled(&values, |text| format!("<{text}>"));
        assert!(filled.ends_with("WHERE id = <i> AND owner <> <o> OR id = <i>"), "{filled}");
    }
}
