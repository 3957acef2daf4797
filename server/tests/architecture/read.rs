//! Reading the tree: files, what is program in them, and what cargo says of the crates.
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    path::PathBuf,
    process::Command,
};

/// The checkout. Asked at run time: several checkouts may share one target folder.
fn root() -> PathBuf {
    let server = PathBuf::from(std::env::var("CARGO_MANIFEST_DIR").unwrap());
    server.parent().unwrap().to_path_buf()
}

/// One file of the tree.
pub struct File {
    /// Where it stands, written relative to the checkout.
    pub path: String,
    /// What it says.
    pub text: String,
}

/// Folders that hold nothing of ours.
const FOREIGN: [&str; 6] = [
    "target",
    "node_modules",
    ".git",
    "data",
    "out",
    "test-results",
];

/// All files under `folder` with one of the endings, sorted by path.
pub fn files(folder: &str, endings: &[&str]) -> Vec<File> {
    let start = root().join(folder);
    if !start.exists() {
        eprintln!("{folder} does not exist yet: the law has nothing to look at there");
        return Vec::new();
    }
    let mut found = Vec::new();
    let mut open = vec![start];
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                // `data` at the top is the demo city's; deeper ones are ours.
                let ours = name == "data" && path.parent().is_some_and(|above| above != root());
                if ours || !FOREIGN.contains(&name.as_str()) {
                    open.push(path);
                }
            } else if endings.iter().any(|ending| name.ends_with(ending))
                && let Ok(text) = fs::read_to_string(&path)
            {
                let path = path.strip_prefix(root()).unwrap();
                let path = path.to_string_lossy().into_owned();
                found.push(File { path, text });
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

/// The Rust sources of the program under `folder`, without tests and comments.
pub fn program(folder: &str) -> Vec<File> {
    let mut all = files(folder, &[".rs"]);
    all.retain(|file| {
        let name = file.path.rsplit('/').next().unwrap_or_default();
        !(file.path.contains("/tests/")
            || name.ends_with("tests.rs")
            || name.starts_with("tests_")
            || name == "fixture.rs")
    });
    for file in &mut all {
        file.text = code(&file.text);
    }
    all
}

/// A Rust source without its comments and its inline test modules; lines keep their numbers.
fn code(text: &str) -> String {
    let mut out = String::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let opens = |next: &&str| next.starts_with("mod ") && next.ends_with('{');
        if line == "#[cfg(test)]" && lines.peek().is_some_and(opens) {
            out.push('\n');
            for inside in lines.by_ref() {
                out.push('\n');
                if inside == "}" {
                    break;
                }
            }
            continue;
        }
        out.push_str(without_comment(line));
        out.push('\n');
    }
    out
}

/// The line up to `//`, unless that stands in a string (an address).
fn without_comment(line: &str) -> &str {
    let mut quoted = false;
    let bytes = line.as_bytes();
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            b'"' if at == 0 || bytes[at - 1] != b'\\' => quoted = !quoted,
            b'/' if !quoted && bytes.get(at + 1) == Some(&b'/') => return &line[..at],
            _ => {}
        }
    }
    line
}

/// Fails with every line for which `breach` has something to say.
pub fn law(what: &str, files: &[File], breach: impl Fn(&File, &str) -> Option<String>) {
    let mut all = String::new();
    for file in files {
        for (number, line) in file.text.lines().enumerate() {
            if let Some(why) = breach(file, line) {
                let at = number + 1;
                let _ = writeln!(all, "  {}:{at}: {why}: {}", file.path, line.trim());
            }
        }
    }
    assert!(all.is_empty(), "{what}\n{all}");
}

/// The first of the words that the line holds.
pub fn holds(line: &str, words: &[&str]) -> Option<String> {
    let found = words.iter().find(|word| line.contains(**word));
    found.map(|word| (*word).to_owned())
}

/// Like [`holds`], for whole words in any case.
pub fn holds_word(line: &str, words: &[&str]) -> Option<String> {
    let upper = line.to_uppercase();
    let mut inside = upper.split(|c: char| !c.is_alphanumeric() && c != '_');
    inside.find(|word| words.contains(word)).map(str::to_owned)
}

fn cargo(arguments: &[&str]) -> String {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let mut command = Command::new(cargo);
    let out = command
        .args(arguments)
        .current_dir(root())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success(), "cargo {arguments:?}: {said}");
    String::from_utf8(out.stdout).unwrap()
}

/// The direct dependencies of each of our packages, those of tests left out.
pub fn direct() -> BTreeMap<String, BTreeSet<String>> {
    let said = cargo(&["metadata", "--no-deps", "--format-version", "1"]);
    let metadata: serde_json::Value = serde_json::from_str(&said).unwrap();
    let name = |value: &serde_json::Value| value["name"].as_str().unwrap().to_owned();
    let mut all = BTreeMap::new();
    for package in metadata["packages"].as_array().unwrap() {
        let dependencies = package["dependencies"].as_array().unwrap().iter();
        let ours = dependencies.filter(|one| one["kind"].as_str() != Some("dev"));
        all.insert(name(package), ours.map(name).collect());
    }
    all
}

/// The names of all that `arguments` pull in.
pub fn tree(arguments: &[&str]) -> BTreeSet<String> {
    let mut all = vec![
        "tree",
        "--prefix",
        "none",
        "--edges",
        "normal,no-proc-macro",
    ];
    all.extend(arguments);
    let said = cargo(&all);
    let names = said.lines().filter_map(|line| line.split(' ').next());
    names.map(str::to_owned).collect()
}

#[test]
fn the_reader_sees_the_program_and_not_its_comments() {
    let text =
        "let a = \"x // y\"; // SELECT 1\n#[cfg(test)]\nmod tests {\n    SELECT\n}\nfn b() {}\n";
    let seen = code(text);
    assert!(seen.contains("x // y") && seen.contains("fn b"), "{seen}");
    assert!(!seen.contains("SELECT"), "{seen}");
    assert_eq!(seen.lines().count(), text.lines().count());
    let words = &["INTEGER"];
    assert_eq!(holds_word("x INTEGER,", words).as_deref(), Some("INTEGER"));
    assert_eq!(holds_word("integer_like TEXT", words), None);
}
