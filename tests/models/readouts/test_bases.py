"""Answers at single bases: windows and sites that do not fit are refused."""

from __future__ import annotations

from typing import Any

import pytest

from gattn_tg.errors import ConfigError
from gattn_tg.models.readouts.bases import SiteReadout


@pytest.mark.parametrize(("window_bp", "site_bp"), [(0, 1), ("9", 1), (9.0, 1), (9, 0), (9, 10), (9, "1"), (9, True)])
def test_sites_that_do_not_fit_are_refused(window_bp: Any, site_bp: Any) -> None:
    with pytest.raises(ConfigError, match=r"^SiteReadout.* (window_bp|site_bp)"):
        SiteReadout.from_about({"window_bp": window_bp, "site_bp": site_bp})
