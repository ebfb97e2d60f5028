//! An authority that cannot be reached.

use super::*;
use crate::renew_cert::{apply, outage, plan};

#[tokio::test]
async fn renew_case_45_nothing_is_stopped_for_an_authority_that_cannot_be_reached() {
    let mut bench = Bench::new(DUE_DAY).await;
    bench.certificate.method = Method::Standalone;
    let (settings, certificate, context) = (bench.settings(), &bench.certificate, &bench.context);
    let survey = Survey::of(certificate, &settings.state, Ask::Never, context).await.unwrap();
    let request = Request::default();
    let mut sketch = plan::plan(&settings, certificate, request, survey, context).await;
    // As on a machine with this web server, whatever holds the ports of the one that tests.
    let stops = vec![outage::Stop::of_unit("web.service")];
    sketch.preflight = Some(outage::Preflight { stops, ..outage::Preflight::default() });

    let mut report = Report::new("renew-cert", "host", context.clock.now());
    let work = apply::Work { settings: &settings, certificate, request };
    apply::apply(sketch, work, &mut report, context).await.unwrap();
    report.findings.iter().for_each(assert_one_voice);
    let finding = found(&report, "certificate.renew", "authority-down");
    assert_eq!((finding.status, report.exit()), (Status::Fail, 1));
    assert!(finding.summary.contains("so nothing was stopped: 127.0.0.1"), "{finding:?}");
    assert_eq!((bench.asked("renew --cert-name"), bench.asked("systemctl stop")), (0, 0));
    // It counts like certbot's own failure to get there.
    assert_eq!((bench.record().failures.unwrap().count, finding.data.contains_key("next_try")), (1, true));
}
