#include "validate/report.h"
#include "base/status.h"
tern_status tern_report_write_markdown(const tern_report *r, const char *p) { (void)r; (void)p; return tern__fail(TERN_E_UNSUPPORTED, "no"); }
tern_status tern_report_write_html(const tern_report *r, const char *p) { (void)r; (void)p; return tern__fail(TERN_E_UNSUPPORTED, "no"); }
