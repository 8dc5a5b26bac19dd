//! A target's workflow file, as GitHub gives it.

#![no_main]

use libfuzzer_sys::fuzz_target;
use release_ticket_action::workflow::Declaration;

fuzz_target!(|text: &str| {
    let Ok(Some(declaration)) = Declaration::read("release.yml", text) else { return };
    let missing = declaration.misfits([]);
    for misfit in &missing {
        assert!(declaration.has(&misfit.name), "{misfit:?}");
        assert!(!misfit.what.is_empty() && !misfit.help.text.is_empty(), "{misfit:?}");
        // With a value that is not blank the input is no longer missing.
        let values = [(misfit.name.as_str(), "x")];
        let repeated_misfits =
            declaration.misfits(values).into_iter().filter(|other| other.name == misfit.name);
        assert!(repeated_misfits.into_iter().all(|other| other.what != misfit.what), "{misfit:?}");
    }
    let stranger = missing.iter().map(|misfit| misfit.name.as_str()).collect::<String>() + "\u{0}stranger";
    assert!(
        declaration.has(&stranger) || declaration.misfits([(stranger.as_str(), "x")]).len() > missing.len()
    );
});
