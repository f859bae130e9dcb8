"""Lists the certificates of this machine's bundle that no package brought, where update-ca-certificates finds them."""

import re
from pathlib import Path

BUNDLE, PACKAGED = Path("/etc/ssl/certs/ca-certificates.crt"), Path("/usr/share/ca-certificates")
OWN = Path("/usr/local/share/ca-certificates")
PEM = re.compile(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)

known = {
    pem
    for folder in (PACKAGED, OWN)
    for path in folder.rglob("*.crt")
    for pem in PEM.findall(path.read_text())
}
for number, pem in enumerate(pem for pem in PEM.findall(BUNDLE.read_text()) if pem not in known):
    (OWN / f"of-this-machine-{number}.crt").write_text(pem + "\n")
