//! Downloads, kept between runs: jars and PostgreSQL binaries, fetched by Maven from wherever the user's settings point.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::tools;

/// The cache directory: `$PGCDC_CACHE`, or `~/.cache/pgcdc/services`.
pub fn dir() -> PathBuf {
    std::env::var_os("PGCDC_CACHE").map_or_else(|| home().join(".cache/pgcdc/services"), PathBuf::from)
}

/// The user's home directory, or `/var/tmp` for a user without one.
pub fn home() -> PathBuf {
    std::env::var_os("HOME")
        .filter(|home| !home.is_empty())
        .map_or_else(|| PathBuf::from("/var/tmp"), PathBuf::from)
}

/// Makes sure that `base/name` exists: if not, `fill` builds it in a temporary directory, which is then renamed.
///
/// Two processes may do so at once; the first to finish wins, and neither ever sees half a directory.
///
/// # Errors
/// When `fill` fails or the directory cannot be written.
pub fn entry(base: &Path, name: &str, fill: impl FnOnce(&Path) -> Result<()>) -> Result<PathBuf> {
    let target = base.join(name);
    if target.is_dir() {
        return Ok(target);
    }
    let building = base.join(format!(".{name}.{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&building);
    std::fs::create_dir_all(&building).with_context(|| {
        format!("cannot create {}; set PGCDC_CACHE to a writable directory", building.display())
    })?;
    let filled = fill(&building);
    if filled.is_ok() && std::fs::rename(&building, &target).is_err() && !target.is_dir() {
        bail!("cannot rename {} to {}", building.display(), target.display());
    }
    let _ = std::fs::remove_dir_all(&building);
    filled.map(|()| target)
}

/// One Maven artifact: group, name, version.
pub type Artifact<'a> = (&'a str, &'a str, &'a str);

/// Downloads `artifacts` and all they depend on at run time into `into`.
///
/// # Errors
/// When Maven is missing or fails; its last lines are part of the message.
pub fn maven(artifacts: &[Artifact<'_>], into: &Path) -> Result<()> {
    let java = tools::java()?;
    let mvn = tools::ensure("mvn", "maven")?;
    let list: String = artifacts
        .iter()
        .map(|(group, name, version)| {
            format!("<dependency><groupId>{group}</groupId><artifactId>{name}</artifactId><version>{version}</version></dependency>\n")
        })
        .collect();
    let pom = format!(
        "<project xmlns=\"http://maven.apache.org/POM/4.0.0\"><modelVersion>4.0.0</modelVersion>\n\
         <groupId>pgcdc</groupId><artifactId>testbed</artifactId><version>1</version>\n\
         <dependencies>\n{list}</dependencies></project>\n"
    );
    let file = into.join("pom.xml");
    std::fs::write(&file, pom).with_context(|| format!("cannot write {}", file.display()))?;
    run_maven(
        &mvn,
        &java,
        &["dependency:copy-dependencies", "-DincludeScope=runtime", "-DoutputDirectory=."],
        into,
        &format!("{artifacts:?}"),
    )
}

/// Downloads one file, `group:name:version:type:classifier`, into `into`, and says where it is.
///
/// # Errors
/// As [`maven`].
pub fn maven_file(coordinates: &str, into: &Path) -> Result<PathBuf> {
    let java = tools::java()?;
    let mvn = tools::ensure("mvn", "maven")?;
    let artifact = format!("-Dartifact={coordinates}");
    run_maven(&mvn, &java, &["dependency:copy", &artifact, "-DoutputDirectory=."], into, coordinates)?;
    let parts: Vec<&str> = coordinates.split(':').collect();
    let [_, name, version, kind, classifier] = parts[..] else {
        bail!("not a file's coordinates: {coordinates}")
    };
    Ok(into.join(format!("{name}-{version}-{classifier}.{kind}")))
}

fn run_maven(mvn: &Path, java: &Path, args: &[&str], into: &Path, what: &str) -> Result<()> {
    let mut command = Command::new(mvn);
    command.args(["-q", "-B"]).args(args);
    if let Some(home) = java.parent().and_then(Path::parent) {
        command.env("JAVA_HOME", home);
    }
    let output =
        command.current_dir(into).output().with_context(|| format!("cannot run {}", mvn.display()))?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stdout);
        let tail: Vec<&str> = text.lines().filter(|line| line.contains("ERROR")).take(5).collect();
        bail!(
            "maven could not download {what}:\n{}\n\nhint: check the network and ~/.m2/settings.xml (mirror, proxy), then try again",
            tail.join("\n")
        );
    }
    Ok(())
}
