process.stdout.write('native: to be built\n');
