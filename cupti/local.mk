# files of cupti/
