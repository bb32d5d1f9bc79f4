"""Settings of this repository's own Scrapy project, used by `scrapy crawl site` and `make crawl`."""

BOT_NAME = "sekisho"
ADDONS = {"crawler.addon.SekishoAddon": 100}
SPIDER_MODULES = ["crawler.spiders"]

SEKISHO_POLICIES = "policies"
SEKISHO_BLOCKLISTS = "blocklists/starter"

# Sites are asked in order of arrival, so that progress reads like the site.
DEPTH_PRIORITY = 1
SCHEDULER_DISK_QUEUE = "scrapy.squeues.PickleFifoDiskQueue"
SCHEDULER_MEMORY_QUEUE = "scrapy.squeues.FifoMemoryQueue"
DOWNLOAD_DELAY = 0
LOG_LEVEL = "INFO"
