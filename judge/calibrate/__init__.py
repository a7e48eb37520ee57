"""What a config would do to a service, learnt from the service's own past.

    scope taken apart -> history read -> rollouts and healthy stretches found
      -> healthy pairs judged at every look -> known regressions put into them
      -> what false alarms and power there are -> proposed settings
      -> rollouts of the past replayed

Read `judge.calibrate.study` first. Nothing here looks at the time of day: the front
door says until when the history reaches. Chance (which pods play the canary) has a seed.
"""
