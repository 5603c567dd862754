//! Locales of the C library's own format, made for a test: few systems have more than C.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::tools;

/// How a locale writes amounts of money.
#[derive(Clone, Copy, Debug)]
pub struct Monetary {
    /// The currency's sign; ASCII.
    pub symbol: &'static str,
    /// The text before the fraction.
    pub point: &'static str,
    /// The text between groups of three digits.
    pub separator: &'static str,
    /// How many digits the fraction has.
    pub digits: u8,
}

/// Makes the locale `name` in `dir`, which a server then has as `LOCPATH`. All but money is as in the locale C.
///
/// # Errors
/// When there is no `localedef`, or it refuses.
pub fn make(dir: &Path, name: &str, money: Monetary) -> Result<()> {
    if !Path::new("/usr/share/i18n/charmaps").is_dir() {
        tools::install("charmaps", "locales")?;
    }
    let localedef = tools::ensure("localedef", "libc-bin")?;
    fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))?;
    let Monetary { symbol, point, separator, digits } = money;
    let mut source = format!(
        "comment_char %\nescape_char /\nLC_MONETARY\nint_curr_symbol \"XXX \"\ncurrency_symbol \"{symbol}\"\n\
         mon_decimal_point \"{point}\"\nmon_thousands_sep \"{separator}\"\nmon_grouping 3;3\npositive_sign \"\"\n\
         negative_sign \"-\"\nint_frac_digits {digits}\nfrac_digits {digits}\np_cs_precedes 0\np_sep_by_space 1\n\
         n_cs_precedes 0\nn_sep_by_space 1\np_sign_posn 1\nn_sign_posn 1\nEND LC_MONETARY\n"
    );
    for category in ["LC_CTYPE", "LC_COLLATE", "LC_TIME", "LC_NUMERIC", "LC_MESSAGES"] {
        source.push_str(&format!("{category}\ncopy \"POSIX\"\nEND {category}\n"));
    }
    let file = dir.join(format!("{name}.source"));
    fs::write(&file, source).with_context(|| format!("cannot write {}", file.display()))?;
    let mut command = Command::new(localedef);
    // `-c` makes it go on after its warnings about missing categories.
    command.args(["-c", "--no-archive", "-f", "ANSI_X3.4-1968", "-i"]).arg(&file).arg(dir.join(name));
    let output = command.output().context("cannot run localedef")?;
    if !dir.join(name).join("LC_MONETARY").exists() {
        bail!("localedef: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
}
