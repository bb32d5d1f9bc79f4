"""What the add-on sets where a project says nothing."""

from __future__ import annotations

from scrapy.settings import Settings

from crawler.addon import LARGEST_PAGE, _install


def test_a_page_without_end_is_given_up_long_before_scrapys_gigabyte_unless_the_project_says_otherwise():
    settings = Settings()
    _install(settings)
    assert settings.getint("DOWNLOAD_MAXSIZE") == LARGEST_PAGE <= 256 * 1024 * 1024
    for own in (0, 10, 2**31):
        settings = Settings({"DOWNLOAD_MAXSIZE": own})
        _install(settings)
        assert settings.getint("DOWNLOAD_MAXSIZE") == own
