//! The forms that `tracer convert` writes: one table, and one module for each form.
//!
//! A new form is a module here and a line in [`FORMS`], and its name among what is typed
//! (`cli::ConvertTo`). Everything else reads the table.

mod docker;
mod kubernetes;
mod lxc;
mod oci;
mod podman;
mod spo;
mod systemd;

use super::form::Form;

/// Every form.
pub const FORMS: &[&Form] = &[
    docker::DOCKER,
    oci::OCI,
    podman::PODMAN,
    spo::SPO,
    systemd::SYSTEMD,
    lxc::LXC,
    kubernetes::KUBERNETES,
];

/// The form of a name.
pub fn by_name(name: &str) -> Option<&'static Form> {
    FORMS.iter().copied().find(|form| form.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_found_by_its_own_name() {
        for form in FORMS {
            let found = by_name(form.name).expect("it is in the table");
            assert_eq!(found.name, form.name);
        }
        assert!(by_name("none").is_none());
    }
}
