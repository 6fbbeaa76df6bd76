"""Many films, each a run of its own, done by Dask's workers on this machine or on a cluster.

`film_table` says which films, `film_worker` does one of them, `clusters` gives the workers,
`campaign` hands the films out and writes down what became of them, `campaign_report` looks across
them.
"""

from samflow.campaigns.campaign import CampaignOptions, run_campaign
from samflow.campaigns.campaign_report import write_campaign_report
from samflow.campaigns.film_table import Film, read_table

__all__ = ["CampaignOptions", "Film", "read_table", "run_campaign", "write_campaign_report"]
