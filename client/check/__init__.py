"""`fedfundus-site check`: everything a site's data can be told before it joins, and what to do about it."""
