def warnings(config, pairs, window, look):
    return ()
