//! Which package holds the newest kernel of a series.

/// The series that is the highest of all.
pub(super) const NEWEST: &str = "newest";
/// Kernels for virtual machines: small, and with what this needs built in.
const FLAVOUR: &str = "-cloud-amd64";
/// Where the image itself is. Since 6.19 the packages of the first name are empty beside one of the
/// second.
const KINDS: [&str; 2] = ["linux-image-", "linux-binary-"];

/// The package with the newest kernel of the series, such as `6.12`, among the names of packages.
pub(super) fn package<'name>(
    names: impl IntoIterator<Item = &'name str>,
    series: &str,
) -> Option<&'name str> {
    let candidates = names.into_iter().filter_map(|name| {
        let (place, rest) = KINDS
            .iter()
            .enumerate()
            .find_map(|(place, kind)| Some((place, name.strip_prefix(kind)?)))?;
        let version = version(rest.strip_suffix(FLAVOUR)?);
        let belongs = series == NEWEST || is_of(&version, series);
        // A version of one number is that of a package that only names others.
        (belongs && version.len() > 2).then_some((version, place, name))
    });
    candidates.max().map(|(_, _, name)| name)
}

fn is_of(version: &[u32], series: &str) -> bool {
    let series: Result<Vec<u32>, _> = series.split('.').map(str::parse).collect();
    series.is_ok_and(|series| series.len() == 2 && version.starts_with(&series))
}

/// The numbers of `6.12.117+deb12` or `6.1.0-56`, up to the first word that is none.
fn version(text: &str) -> Vec<u32> {
    let text = text.split('+').next().unwrap_or(text);
    text.split(['.', '-']).map_while(|word| word.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [&str; 12] = [
        "linux-image-6.1-cloud-amd64",
        "linux-image-6.1.0-0.deb11.52-cloud-amd64",
        "linux-image-6.1.0-9-cloud-amd64",
        "linux-image-6.1.0-56-cloud-amd64",
        "linux-image-6.1.0-57-cloud-amd64-unsigned",
        "linux-image-6.12.117+deb12-cloud-amd64",
        "linux-image-6.12.9+deb12-cloud-amd64",
        "linux-image-6.18.15+deb13-amd64",
        "linux-image-7.3.4+deb13-cloud-amd64",
        "linux-binary-7.3.4+deb13-cloud-amd64",
        "linux-binary-7.2.13+deb14-cloud-amd64",
        "linux-image-cloud-amd64",
    ];

    #[test]
    fn the_newest_of_a_series_is_taken() {
        assert_eq!(package(NAMES, "6.1"), Some("linux-image-6.1.0-56-cloud-amd64"));
        assert_eq!(package(NAMES, "6.12"), Some("linux-image-6.12.117+deb12-cloud-amd64"));
        assert_eq!(package(NAMES, "7.2"), Some("linux-binary-7.2.13+deb14-cloud-amd64"));
    }

    #[test]
    fn the_newest_of_all_is_the_package_with_the_image() {
        assert_eq!(package(NAMES, NEWEST), Some("linux-binary-7.3.4+deb13-cloud-amd64"));
    }

    #[test]
    fn what_no_suite_has_is_not_found() {
        for series in ["6.18", "6", "6.12.9", "new", ""] {
            assert_eq!(package(NAMES, series), None, "{series}");
        }
    }
}
