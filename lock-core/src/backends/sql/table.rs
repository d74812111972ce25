//! The name of the table, checked.

/// Where the rows are, if nothing else is said.
pub(in crate::backends) const DEFAULT: &str = "lock_leases";

/// A table's name, as it may stand in a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Table {
    pub(in crate::backends) name: String,
    pub(in crate::backends) quoted: String,
}

impl Table {
    /// `table` or `schema.table`. `quote` is the database's sign around names.
    ///
    /// # Errors
    /// What was given and what is accepted.
    pub(in crate::backends) fn parse(name: &str, quote: char) -> Result<Self, String> {
        let parts: Vec<&str> = name.split('.').collect();
        let fits = |part: &&str| {
            let mut letters = part.chars();
            letters.next().is_some_and(|first| first.is_ascii_alphabetic() || first == '_')
                && letters.all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
                && part.len() <= 48
        };
        if parts.len() > 2 || !parts.iter().all(fits) {
            return Err(format!(
                "table: {:?} is not the name of a table; accepted are letters, digits and _, not a digit first, at most 48, \
                 with a schema before a dot or without",
                crate::error::excerpt(name)
            ));
        }
        let quoted: Vec<String> = parts.iter().map(|part| format!("{quote}{part}{quote}")).collect();
        Ok(Self { name: name.to_owned(), quoted: quoted.join(".") })
    }
}

#[cfg(feature = "postgres")]
impl Table {
    /// A name for what is said of the table, the same for all who use it: also for those who leave its schema out, which
    /// is then the one in which it was found.
    pub(in crate::backends) fn channel(&self, found_in: &str) -> String {
        let (schema, name) = self.name.split_once('.').unwrap_or((found_in, &self.name));
        let full = format!("{schema}.{name}");
        format!("lock_{}", super::digits(&hmac_sha256::Hash::hash(full.as_bytes())[..8]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(feature = "postgres")]
    #[test]
    fn a_table_is_spoken_of_by_one_name_whether_its_schema_is_said_or_not() {
        let channel = |name, found_in| Table::parse(name, '"').unwrap().channel(found_in);
        assert_eq!(channel("locks", "app"), channel("app.locks", "public"));
        assert_ne!(channel("locks", "app"), channel("locks", "public"));
        assert_eq!(channel("locks", "app").len(), 21);
    }

    #[test]
    fn a_name_is_quoted_and_what_is_none_is_refused() {
        assert_eq!(Table::parse("app.locks", '"').unwrap().quoted, r#""app"."locks""#);
        assert_eq!(Table::parse("Locks_2", '`').unwrap().quoted, "`Locks_2`");
        for wrong in ["", ".", "a.", "a.b.c", "2a", "a b", "a\"b", "a;b", "ä", &"a".repeat(49)] {
            assert!(Table::parse(wrong, '"').unwrap_err().contains("accepted are"), "{wrong}");
        }
    }
}
