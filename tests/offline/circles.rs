//! No circles between the files of the program: a file that another one needs must not need that
//! one.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::sources::{Source, sources_of_the_program};

tests::trials! {
    no_files_need_each_other,
    a_circle_is_found_through_a_re_export,
    a_parent_that_only_re_exports_is_no_circle,
}

/// Which files each file needs, by their paths below `tracer/src`.
type Needs<'a> = BTreeMap<&'a str, BTreeSet<&'a str>>;

/// The files of the program by their modules, and what these re-export.
struct Modules<'a> {
    files: BTreeMap<String, &'a str>,
    /// What a name of a module stands for.
    re_exports: BTreeMap<(String, String), String>,
}

impl<'a> Modules<'a> {
    fn new(sources: &'a [Source]) -> Self {
        let mut modules = Self { files: BTreeMap::new(), re_exports: BTreeMap::new() };
        for source in sources {
            let Some(module) = source.module_path() else { continue };
            for import in source.items().imports.into_iter().filter(|import| import.is_reexport) {
                modules.re_exports.insert((module.clone(), import.name), import.path);
            }
            modules.files.insert(module, below_src(&source.path));
        }
        modules
    }

    /// The file in which what a path names is defined: that of the longest module in it, or where
    /// the module re-exports it from.
    fn file_of(&self, path: &str) -> Option<&'a str> {
        let mut path = path.to_owned();
        // A re-export of a re-export, and so on; more than a few would be a mistake.
        for _ in 0..8 {
            let (module, rest) = self.longest_module(&path)?;
            let name = rest.split("::").next().unwrap_or_default().to_owned();
            match self.re_exports.get(&(module.clone(), name.clone())) {
                Some(meant) => path = format!("{meant}{}", &rest[name.len()..]),
                None => return self.files.get(&module).copied(),
            }
        }
        None
    }

    /// The longest beginning of a path that is a module, and what follows.
    fn longest_module(&self, path: &str) -> Option<(String, String)> {
        let ends = path.match_indices("::").map(|(at, _)| at).chain([path.len()]);
        let ends: Vec<usize> = ends.collect();
        let end = ends.into_iter().rev().find(|end| self.files.contains_key(&path[..*end]))?;
        let rest = path[end..].trim_start_matches("::");
        Some((path[..end].to_owned(), rest.to_owned()))
    }

    /// The files that a file names, without itself. What it re-exports, it does not need.
    fn needs(&self, source: &Source) -> BTreeSet<&'a str> {
        let items = source.items();
        let imports = items.imports.into_iter().filter(|import| !import.is_reexport);
        let paths = imports.map(|import| import.path).chain(items.inline);
        // A path that begins with neither `crate` nor `self` may begin with a child module.
        let module = source.module_path().unwrap_or_default();
        let child = |path: &String| format!("{module}::{path}");
        let paths = paths.map(|path| if path.starts_with("crate") { path } else { child(&path) });
        let found = paths.filter_map(|path| self.file_of(&path));
        let own = below_src(&source.path);
        found.filter(|file| *file != own && *file != "lib.rs").collect()
    }
}

fn below_src(path: &str) -> &str {
    path.strip_prefix("tracer/src/").unwrap_or(path)
}

/// The shortest way from a file back to it.
fn circle<'a>(needs: &Needs<'a>, start: &'a str) -> Option<Vec<&'a str>> {
    let mut before: BTreeMap<&str, &str> = BTreeMap::new();
    let mut queue = VecDeque::from([start]);
    while let Some(file) = queue.pop_front() {
        for next in needs.get(file).into_iter().flatten() {
            if *next == start {
                let back = |file: &&'a str| before.get(file).copied();
                let mut way: Vec<&str> = std::iter::successors(Some(file), back).collect();
                way.reverse();
                way.push(start);
                return Some(way);
            }
            if !before.contains_key(next) {
                before.insert(next, file);
                queue.push_back(next);
            }
        }
    }
    None
}

/// A shortest circle for each set of files that need each other.
fn circles<'a>(needs: &Needs<'a>) -> Vec<Vec<&'a str>> {
    let found: BTreeSet<Vec<&str>> =
        needs.keys().filter_map(|file| circle(needs, file)).map(from_the_first).collect();
    found.into_iter().collect()
}

/// The same circle, begun at the first of its files.
fn from_the_first(mut circle: Vec<&str>) -> Vec<&str> {
    circle.pop();
    let first = (0..circle.len()).min_by_key(|at| circle[*at]).unwrap_or_default();
    circle.rotate_left(first);
    circle.extend(circle.first().copied());
    circle
}

fn needs<'a>(sources: &'a [Source], modules: &Modules<'a>) -> Needs<'a> {
    sources.iter().map(|source| (below_src(&source.path), modules.needs(source))).collect()
}

fn no_files_need_each_other() {
    let sources = sources_of_the_program();
    let sources: Vec<Source> =
        sources.into_iter().filter(|source| source.path != "tracer/src/main.rs").collect();
    let modules = Modules::new(&sources);
    let circles = circles(&needs(&sources, &modules));
    let breaches: Vec<String> = circles.iter().map(|circle| circle.join(" -> ")).collect();
    assert!(breaches.is_empty(), "files that need each other:\n{}", breaches.join("\n"));
}

fn source(path: &str, code: &str) -> Source {
    Source::new(format!("tracer/src/{path}"), code.to_owned())
}

fn a_circle_is_found_through_a_re_export() {
    let sources = [
        source("a/mod.rs", "mod b;\nmod c;\npub use self::{b::Thing as Renamed, c::C};"),
        source("a/b.rs", "use super::C;"),
        source("a/c.rs", "fn f() -> crate::a::Renamed {}"),
        source("d.rs", "use crate::a::C;"),
    ];
    let modules = Modules::new(&sources);
    assert_eq!(circles(&needs(&sources, &modules)), [["a/b.rs", "a/c.rs", "a/b.rs"]]);
}

fn a_parent_that_only_re_exports_is_no_circle() {
    let child = source("a/b.rs", "use super::Other;");
    let re_exports = source("a/mod.rs", "mod b;\npub use self::b::Thing;\npub struct Other;");
    let sources = [re_exports, child];
    assert!(circles(&needs(&sources, &Modules::new(&sources))).is_empty());
    let child = source("a/b.rs", "use super::Other;");
    let uses = source("a/mod.rs", "mod b;\nfn f() { b::f() }\npub struct Other;");
    let sources = [uses, child];
    let circles = circles(&needs(&sources, &Modules::new(&sources))).len();
    assert_eq!(circles, 1, "the parent calls the child");
}
