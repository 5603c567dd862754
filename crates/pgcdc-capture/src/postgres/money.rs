//! Asks how many digits after the point `money` has in this database.
//!
//! The server stores a whole number of the smallest unit. Each session prints it by its own
//! `lc_monetary`: 1234 is `$12.34`, `¥1,234`, or 1.234 dinars. Our sessions print by the locale C,
//! with two digits. The number of digits that the database's users mean is that of the database's
//! own setting, or else of the server's. If we took two where they mean none, every amount would be
//! a hundredth of what it is. Source: PostgreSQL documentation, "Monetary Types".

use super::Query;
use crate::Result;

/// The number of digits that most currencies have, and the locale C.
const USUAL: u8 = 2;

/// Asks for the number of digits, once at a start. `query` must be a session whose login leaves
/// `lc_monetary` alone, so that `RESET` brings back the setting of role, database or server.
///
/// # Errors
/// A transient one when the session broke. When the server refuses, it warns and returns two
/// digits.
pub(crate) async fn scale(query: &Query) -> Result<u8> {
    const SQL: &str = "RESET lc_monetary;
        SELECT pg_catalog.set_config('lc_monetary', pg_catalog.split_part(setting, '=', 2), true)
        FROM pg_catalog.pg_db_role_setting, pg_catalog.unnest(setconfig) AS settings(setting)
        WHERE setdatabase IN (0, (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()))
          AND setrole = 0 AND setting LIKE 'lc\\_monetary=%'
        ORDER BY setdatabase;
        SELECT 'digits', pg_catalog.scale(1::pg_catalog.money::numeric),
               (SELECT source FROM pg_catalog.pg_settings WHERE name = 'lc_monetary');
        SET lc_monetary = 'C'";
    let rows = match query.rows("ask how many digits money has", SQL).await {
        Err(error) if !error.is_transient() => {
            tracing::warn!(%error, "money is read with two digits after the point");
            return Ok(USUAL);
        }
        rows => rows?,
    };
    let Some(answer) = rows.iter().find(|row| row.get(0) == Some("digits")) else { return Ok(USUAL) };
    let digits = answer.get(1).and_then(|digits| digits.parse().ok()).unwrap_or(USUAL);
    if digits != USUAL && answer.get(2).is_some_and(|source| source.contains("user")) {
        tracing::warn!(
            "lc_monetary of the connector's own role gives money {digits} digits after the point; the database's setting \
             is not to be seen behind it, so that money is read with two"
        );
        return Ok(USUAL);
    }
    Ok(digits)
}
